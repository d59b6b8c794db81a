package docker

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

var testScope = reconcile.Scope{Owner: "fairlead", Environment: "prod"}

func testSpec() reconcile.ContainerSpec {
	return providertest.TestReplica(testScope, reconcile.Image{Ref: "digits:1", Pin: "registry.example/digits@sha256:aa"}, "digits", "rev1", 1)
}

// verdict builds an object from the spec, lets alter change it, and judges it.
func verdict(policy Policy, c reconcile.ContainerSpec, alter func(*object)) []reconcile.Denial {
	o := build(testScope, policy, c, "")
	if alter != nil {
		alter(&o)
	}
	return judge{policy: policy, scope: testScope}.grounds(c, "").check(o)
}

func TestPolicyKnowsEveryFieldOfTheAPI(t *testing.T) {
	known := make(map[string]bool)
	var walk func(name string, typ reflect.Type)
	walk = func(name string, typ reflect.Type) {
		for i := range typ.NumField() {
			field := typ.Field(i)
			if field.Anonymous {
				walk(name, field.Type)
				continue
			}
			key := name + "." + field.Name
			known[key] = true
			if rules[key] == nil {
				t.Errorf("the API has %s, of which the policy knows nothing; decide what a spec may do with it", key)
			}
		}
	}
	walk("Config", reflect.TypeFor[container.Config]())
	walk("HostConfig", reflect.TypeFor[container.HostConfig]())
	walk("NetworkingConfig", reflect.TypeFor[network.NetworkingConfig]())
	for key := range rules {
		if !known[key] {
			t.Errorf("the policy has a rule for %s, which the API does not have", key)
		}
	}
}

func TestPolicyDeniesEveryFieldThatNothingMayHave(t *testing.T) {
	count := 0
	for key, judged := range rules {
		if reflect.ValueOf(judged).Pointer() != reflect.ValueOf(never).Pointer() {
			continue
		}
		count++
		t.Run(key, func(t *testing.T) {
			denials := verdict(Policy{Privileged: true, HostNetwork: true}, testSpec(), func(o *object) { setField(t, o, key) })
			if len(denials) != 1 || denials[0].Field != key {
				t.Errorf("the denials are %+v, want one of %s", denials, key)
			}
		})
	}
	if count < 50 {
		t.Errorf("only %d fields are never granted", count)
	}
}

// setField gives one field of the object some value that is not zero.
func setField(t *testing.T, o *object, key string) {
	t.Helper()
	part, name, _ := strings.Cut(key, ".")
	target := map[string]any{"Config": o.Config, "HostConfig": o.Host, "NetworkingConfig": o.Network}[part]
	field := reflect.ValueOf(target).Elem().FieldByName(name)
	switch field.Kind() {
	case reflect.String:
		field.SetString("host")
	case reflect.Bool:
		field.SetBool(true)
	case reflect.Int, reflect.Int64:
		field.SetInt(1)
	case reflect.Uint16, reflect.Uint64:
		field.SetUint(1)
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	case reflect.Slice: // also an empty one that is not nil: MaskedPaths = [] unmasks all
		field.Set(reflect.MakeSlice(field.Type(), 0, 0))
	case reflect.Map:
		field.Set(reflect.MakeMap(field.Type()))
	case reflect.Array:
		field.Index(0).SetUint(1)
	default:
		t.Fatalf("no value for %s, a %s", key, field.Type())
	}
}

func TestPolicyDeniesWhatWouldOpenTheHost(t *testing.T) {
	m := func(m mount.Mount) func(*object) {
		return func(o *object) { o.Host.Mounts = append(o.Host.Mounts, m) }
	}
	for name, alter := range map[string]func(*object){
		"bind":                       m(mount.Mount{Type: mount.TypeBind, Source: "/etc", Target: "/x"}),
		"bind over the secrets":      m(mount.Mount{Type: mount.TypeBind, Source: "/data", Target: "/run/secrets", ReadOnly: true}),
		"bind with propagation":      m(mount.Mount{Type: mount.TypeBind, Source: "/data", Target: "/x", BindOptions: &mount.BindOptions{Propagation: mount.PropagationRShared}}),
		"bind that makes its source": m(mount.Mount{Type: mount.TypeBind, Source: "/data", Target: "/x", BindOptions: &mount.BindOptions{CreateMountpoint: true}}),
		"volume that binds the host": m(mount.Mount{Type: mount.TypeVolume, Source: "fairlead.prod.volume.x", Target: "/x", VolumeOptions: &mount.VolumeOptions{
			Labels: scopeLabels(testScope), DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": "/"}},
		}}),
		"volume of another scope":    m(scopedVolume(testScope, "fairlead.staging.volume.x", "/x", false)),
		"volume of the gateway":      m(scopedVolume(testScope, testScope.GatewayName(), "/x", false)),
		"volume that is a path":      m(scopedVolume(testScope, "/etc", "/x", false)),
		"volume by a relative path":  m(scopedVolume(testScope, "fairlead.prod.volume.../../x", "/x", false)),
		"anonymous volume":           m(mount.Mount{Type: mount.TypeVolume, Target: "/x"}),
		"tmpfs with options":         m(mount.Mount{Type: mount.TypeTmpfs, Target: "/x", TmpfsOptions: &mount.TmpfsOptions{Options: [][]string{{"exec"}}}}),
		"tmpfs over the root":        m(tmpfs("/", 0)),
		"named pipe":                 m(mount.Mount{Type: mount.TypeNamedPipe, Source: "p", Target: "/x"}),
		"cluster volume":             m(mount.Mount{Type: mount.TypeCluster, Source: "p", Target: "/x"}),
		"mount of an image":          m(mount.Mount{Type: mount.TypeImage, Source: "p", Target: "/x"}),
		"network of a container":     func(o *object) { o.Host.NetworkMode = "container:other" },
		"default network":            func(o *object) { o.Host.NetworkMode = "" },
		"host network":               func(o *object) { o.Host.NetworkMode = "host" },
		"second network":             func(o *object) { o.Network.EndpointsConfig["other"] = &network.EndpointSettings{} },
		"address of its own choice":  func(o *object) { o.Network.EndpointsConfig["fairlead.prod"].MacAddress = "02:00:00:00:00:01" },
		"alias of another container": func(o *object) { o.Network.EndpointsConfig["fairlead.prod"].Aliases = []string{"gateway"} },
		"privileged":                 func(o *object) { o.Host.Privileged = true },
		"capability":                 func(o *object) { o.Host.CapAdd = []string{"CAP_NET_ADMIN"} },
		"all capabilities":           func(o *object) { o.Host.CapAdd = []string{"ALL"} },
		"capabilities kept":          func(o *object) { o.Host.CapDrop = nil },
		"new privileges":             func(o *object) { o.Host.SecurityOpt = nil },
		"no seccomp":                 func(o *object) { o.Host.SecurityOpt = append(o.Host.SecurityOpt, "seccomp=unconfined") },
		"device": func(o *object) {
			o.Host.Devices = []container.DeviceMapping{{PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "rw"}}
		},
		"gpu driver options": func(o *object) {
			o.Host.DeviceRequests = []container.DeviceRequest{{Driver: "cdi", DeviceIDs: []string{"x"}}}
		},
		"ipc of the host":         func(o *object) { o.Host.IpcMode = "host" },
		"published port":          func(o *object) { o.Host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "80"}}} },
		"unbounded processes":     func(o *object) { o.Host.PidsLimit = nil },
		"unlimited processes":     func(o *object) { o.Host.PidsLimit = new(int64(-1)) },
		"swap":                    func(o *object) { o.Host.MemorySwap = -1 },
		"log driver":              func(o *object) { o.Host.LogConfig.Type = "syslog" },
		"log option":              func(o *object) { o.Host.LogConfig.Config["syslog-address"] = "udp://198.51.100.1" },
		"endless restarts":        func(o *object) { o.Host.RestartPolicy.Name = container.RestartPolicyAlways },
		"health command":          func(o *object) { o.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "x"}} },
		"labels of another scope": func(o *object) { o.Config.Labels[reconcile.LabelEnvironment] = "staging" },
	} {
		t.Run(name, func(t *testing.T) {
			if denials := verdict(Policy{}, testSpec(), alter); len(denials) == 0 {
				t.Error("it was granted")
			}
		})
	}
}

func TestPolicyGrantsWhatTheOperatorAllows(t *testing.T) {
	everything := Policy{
		Binds: []string{"/data", "/models:ro"}, Volumes: []string{"shared"}, Devices: []string{"/dev/fuse"},
		Capabilities: []string{"CAP_SYS_NICE", "ipc_lock"}, Privileged: true, HostNetwork: true,
	}
	for name, test := range map[string]struct {
		change func(*reconcile.ContainerSpec)
		field  string // denied without the policy; "" for what needs none
	}{
		"nothing special": {func(*reconcile.ContainerSpec) {}, ""},
		"own volume": {func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountVolume, Source: "cache", Target: "/c"}}
		}, ""},
		"tmpfs": {func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountTmpfs, Target: "/tmp", Size: 1 << 20}}
		}, ""},
		"gpus": {func(c *reconcile.ContainerSpec) { c.Resources.GPUs.Count = -1 }, ""},
		"ulimits": {func(c *reconcile.ContainerSpec) {
			c.Resources.Ulimits = map[string]spec.Ulimit{"nofile": {Soft: 1, Hard: 2}}
		}, ""},
		"bind": {func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/data/a", Target: "/a"}}
		}, "mount"},
		"read-only bind": {func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/models", Target: "/a", ReadOnly: true}}
		}, "mount"},
		"external volume": {func(c *reconcile.ContainerSpec) {
			c.Mounts = []spec.Mount{{Type: spec.MountVolume, Source: "shared", Target: "/a"}}
		}, ""},
		"device":       {func(c *reconcile.ContainerSpec) { c.Devices = []string{"/dev/fuse"} }, "devices"},
		"capability":   {func(c *reconcile.ContainerSpec) { c.Capabilities = []string{"SYS_NICE", "IPC_LOCK"} }, "capabilities"},
		"privileged":   {func(c *reconcile.ContainerSpec) { c.Privileged = true }, "privileged"},
		"host network": {func(c *reconcile.ContainerSpec) { c.HostNetwork = true }, "host_network"},
	} {
		t.Run(name, func(t *testing.T) {
			c := testSpec()
			test.change(&c)
			if denials := verdict(everything, c, nil); len(denials) > 0 {
				t.Errorf("denied in spite of the policy: %+v", denials)
			}
			denials := verdict(Policy{}, c, nil)
			if test.field == "" && len(denials) > 0 {
				t.Errorf("denied although it concerns only the container itself: %+v", denials)
			}
			named := slices.ContainsFunc(denials, func(d reconcile.Denial) bool { return d.Field == test.field })
			if test.field != "" && !named {
				t.Errorf("without a policy the denials are %+v, want one of %s", denials, test.field)
			}
		})
	}
	t.Run("writing where reading is granted is denied", func(t *testing.T) {
		c := testSpec()
		c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/models", Target: "/a"}}
		if len(verdict(everything, c, nil)) == 0 {
			t.Error("it was granted")
		}
	})
	t.Run("a neighbour of a granted path is denied", func(t *testing.T) {
		c := testSpec()
		c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/database", Target: "/a"}}
		if len(verdict(everything, c, nil)) == 0 {
			t.Error("it was granted")
		}
	})
	t.Run("gpus are denied where the operator says so", func(t *testing.T) {
		c := testSpec()
		c.Resources.GPUs.IDs = []string{"0"}
		if len(verdict(Policy{DenyGPUs: true}, c, nil)) == 0 {
			t.Error("it was granted")
		}
	})
}

// TestEngineSocketIsOutOfReach grants the whole host and asks for the socket by
// every name that it has.
func TestEngineSocketIsOutOfReach(t *testing.T) {
	dir, err := os.MkdirTemp("", "policy") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, made := range []string{at("run"), at("free"), at("secrets", "x")} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := new(net.ListenConfig).Listen(t.Context(), "unix", at("run", "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	for link, target := range map[string]string{
		at("free", "link"): at("run", "engine.sock"), at("free", "up"): at("run"), at("free", "way"): dir, at("alias"): at("free"),
		at("free", "etc"): "/etc",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(at("run", "engine.sock"), at("free", "hard")); err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{
		Host: "unix://" + at("run", "engine.sock"), Scope: testScope, SecretsDir: at("secrets"),
		Policy: Policy{Binds: []string{"/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	mounting := func(source string) error {
		c := testSpec()
		c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: source, Target: "/x"}}
		return r.Vet(c)
	}
	for _, source := range []string{
		at("run", "engine.sock"), at("run"), dir, "/", "/var/run/docker.sock", "/run/docker.sock",
		at("free", "link"), at("free", "up"), at("free", "way"), at("free", "hard"),
		at("run") + "/../run/engine.sock", at("secrets"), at("secrets", "x"), at("missing"), "relative", "",
	} {
		if mounting(source) == nil {
			t.Errorf("%q can be mounted", source)
		}
	}
	for _, source := range []string{at("free"), at("alias"), "/etc"} {
		if err := mounting(source); err != nil {
			t.Errorf("%q cannot be mounted: %v", source, err)
		}
	}
	t.Run("a link out of what is granted is denied", func(t *testing.T) {
		r.policy.policy.Binds = []string{at("free")}
		if mounting(at("free", "etc")) == nil {
			t.Error("the link to /etc can be mounted")
		}
		if err := mounting(at("alias")); err != nil {
			t.Errorf("another name of what is granted cannot be mounted: %v", err)
		}
	})
}

func TestVetNamesTheSettingThatWouldGrant(t *testing.T) {
	c := testSpec()
	c.Capabilities = []string{"NET_ADMIN"}
	denials := verdict(Policy{}, c, nil)
	want := reconcile.Denial{Field: "capabilities", Value: "NET_ADMIN", Remedy: "start serve with --allow-capability NET_ADMIN"}
	if len(denials) != 1 || denials[0] != want {
		t.Errorf("got %+v, want %+v", denials, want)
	}
}

func TestPolicyThatCouldGrantNothingIsRefused(t *testing.T) {
	for name, policy := range map[string]Policy{
		"relative bind":    {Binds: []string{"data"}},
		"relative device":  {Devices: []string{"fuse"}},
		"path as a volume": {Volumes: []string{"/data"}},
		"all capabilities": {Capabilities: []string{"ALL"}},
		"two capabilities": {Capabilities: []string{"NET_ADMIN,SYS_ADMIN"}},
	} {
		if r, err := New(Options{Scope: testScope, Policy: policy}); err == nil {
			t.Errorf("%s: it was accepted", name)
			_ = r.Close()
		}
	}
}
