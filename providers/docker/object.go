package docker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// object is the final API object: all that the engine is told about one
// container, except its name.
type object struct {
	Config  *container.Config
	Host    *container.HostConfig
	Network *network.NetworkingConfig
}

// Fixed parts of every container.
const (
	noNewPrivileges = "no-new-privileges:true"
	secretsTarget   = "/run/secrets"
	logDriver       = "json-file"
)

// Bounds of a container's log where the spec names none.
const (
	defaultLogSize  = 10 << 20
	defaultLogFiles = 3
)

// build translates a spec. It is pure, and it grants nothing: what it puts into
// the object still has to pass the policy. secretsSource is the host directory
// with the container's secret files, "" if it has none.
func build(scope reconcile.Scope, policy Policy, c reconcile.ContainerSpec, secretsSource string) object {
	return object{
		Config:  buildConfig(c),
		Host:    buildHost(scope, policy, c, secretsSource),
		Network: buildNetwork(scope, c),
	}
}

func buildConfig(c reconcile.ContainerSpec) *container.Config {
	config := &container.Config{
		Image:      runnable(c.Image),
		Entrypoint: c.Entrypoint,
		Cmd:        c.Command,
		User:       c.User,
		Env:        buildEnv(c),
		Labels:     maps.Clone(c.Labels),
		// Stop promises SIGTERM, whatever the image asks for.
		StopSignal: "SIGTERM",
		// The gateway probes. A health check of the image would be a second
		// opinion that costs a process in the container every few seconds.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	if c.StopTimeout > 0 {
		config.StopTimeout = new(seconds(c.StopTimeout))
	}
	for _, p := range c.Publish {
		if config.ExposedPorts == nil {
			config.ExposedPorts = nat.PortSet{}
		}
		config.ExposedPorts[tcpPort(p.ContainerPort)] = struct{}{}
	}
	return config
}

// buildEnv lists the variables in a fixed order, so that equal specs give equal
// objects.
func buildEnv(c reconcile.ContainerSpec) []string {
	env := make([]string, 0, len(c.EnvValues)+len(c.SecretEnv))
	for name, value := range c.EnvValues {
		env = append(env, name+"="+value)
	}
	for name, value := range c.SecretEnv {
		env = append(env, name+"="+value.Reveal())
	}
	slices.Sort(env)
	return env
}

func buildHost(scope reconcile.Scope, policy Policy, c reconcile.ContainerSpec, secretsSource string) *container.HostConfig {
	host := &container.HostConfig{
		NetworkMode:    networkMode(scope, c),
		RestartPolicy:  container.RestartPolicy{Name: restartMode(c.Restart)},
		LogConfig:      buildLogs(c.Logs),
		CapDrop:        []string{"ALL"},
		CapAdd:         buildCapabilities(c.Capabilities),
		SecurityOpt:    []string{noNewPrivileges},
		IpcMode:        container.IPCModePrivate,
		Privileged:     c.Privileged,
		ReadonlyRootfs: c.ReadOnlyRoot,
		ShmSize:        c.Resources.Shm,
		Mounts:         buildMounts(scope, policy, c, secretsSource),
		Resources:      buildResources(c),
	}
	for _, p := range c.Publish {
		if host.PortBindings == nil {
			host.PortBindings = nat.PortMap{}
		}
		port := tcpPort(p.ContainerPort)
		host.PortBindings[port] = append(host.PortBindings[port],
			nat.PortBinding{HostIP: p.Host, HostPort: strconv.Itoa(p.HostPort)})
	}
	return host
}

// networkMode is the one network of a container. To have none goes before what a
// spec asks for.
func networkMode(scope reconcile.Scope, c reconcile.ContainerSpec) container.NetworkMode {
	switch {
	case c.NoNetwork:
		return network.NetworkNone
	case c.HostNetwork:
		return network.NetworkHost
	}
	return container.NetworkMode(scope.NetworkName())
}

func buildNetwork(scope reconcile.Scope, c reconcile.ContainerSpec) *network.NetworkingConfig {
	if c.NoNetwork || c.HostNetwork {
		return &network.NetworkingConfig{}
	}
	return &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{scope.NetworkName(): {}},
	}
}

func buildResources(c reconcile.ContainerSpec) container.Resources {
	limits := reconcile.LimitsOf(c.Container)
	resources := container.Resources{
		NanoCPUs:   limits.NanoCPUs,
		Memory:     limits.Memory,
		MemorySwap: limits.Memory, // the sum of both: no swap on top
	}
	if limits.PIDs > 0 {
		resources.PidsLimit = &limits.PIDs
	}
	for _, name := range slices.Sorted(maps.Keys(c.Resources.Ulimits)) {
		limit := c.Resources.Ulimits[name]
		resources.Ulimits = append(resources.Ulimits, &container.Ulimit{Name: name, Soft: limit.Soft, Hard: limit.Hard})
	}
	for _, path := range c.Devices {
		resources.Devices = append(resources.Devices,
			container.DeviceMapping{PathOnHost: path, PathInContainer: path, CgroupPermissions: devicePermissions})
	}
	if gpus := c.Resources.GPUs; gpus.Count != 0 || len(gpus.IDs) > 0 {
		resources.DeviceRequests = []container.DeviceRequest{gpuRequest(gpus.Count, gpus.IDs)}
	}
	return resources
}

// devicePermissions lets a container read and write a device, but not make
// device nodes of its own.
const devicePermissions = "rw"

// gpuRequest is the only form of device request that is ever made.
func gpuRequest(count int, ids []string) container.DeviceRequest {
	return container.DeviceRequest{Count: count, DeviceIDs: ids, Capabilities: [][]string{{"gpu"}}}
}

func buildLogs(logs spec.Logs) container.LogConfig {
	if logs.MaxSize <= 0 {
		logs.MaxSize = defaultLogSize
	}
	if logs.MaxFiles <= 0 {
		logs.MaxFiles = defaultLogFiles
	}
	return container.LogConfig{Type: logDriver, Config: map[string]string{
		"max-size": strconv.FormatInt(logs.MaxSize, 10),
		"max-file": strconv.Itoa(logs.MaxFiles),
	}}
}

func buildCapabilities(names []string) []string {
	var capabilities []string
	for _, name := range names {
		capabilities = append(capabilities, capability(name))
	}
	slices.Sort(capabilities)
	return slices.Compact(capabilities)
}

// capability is the form in which the engine's API names a capability.
func capability(name string) string {
	return "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
}

// buildMounts lists what the spec asks for, then Fairlead's own volumes and
// directories and the secret files, in the order of their targets.
func buildMounts(scope reconcile.Scope, policy Policy, c reconcile.ContainerSpec, secretsSource string) []mount.Mount {
	var mounts []mount.Mount
	for _, m := range c.Mounts {
		mounts = append(mounts, buildMount(scope, policy, m))
	}
	for name, target := range c.Volumes {
		mounts = append(mounts, scopedVolume(scope, name, target, false))
	}
	for _, b := range c.Binds {
		mounts = append(mounts, directory(b))
	}
	if secretsSource != "" {
		mounts = append(mounts, secretsMount(secretsSource))
	}
	if c.Certificates != "" {
		mounts = append(mounts, certificates(c.Certificates))
	}
	slices.SortFunc(mounts, func(a, b mount.Mount) int { return strings.Compare(a.Target, b.Target) })
	return mounts
}

func buildMount(scope reconcile.Scope, policy Policy, m spec.Mount) mount.Mount {
	switch m.Type {
	case spec.MountVolume:
		if slices.Contains(policy.Volumes, m.Source) {
			return externalVolume(m.Source, m.Target, m.ReadOnly)
		}
		return scopedVolume(scope, VolumeName(scope, m.Source), m.Target, m.ReadOnly)
	case spec.MountTmpfs:
		return tmpfs(m.Target, m.Size)
	case spec.MountBind:
		return bind(m.Source, m.Target, m.ReadOnly)
	}
	return mount.Mount{Type: mount.Type(m.Type), Source: m.Source, Target: m.Target} // which the policy denies
}

// certificates is the mount of the gateway's certificate.
func certificates(dir string) mount.Mount { return bind(dir, reconcile.GatewayCertDir, true) }

// VolumeName is the engine's name of the volume that specs of the scope call
// name. Volumes of two environments never meet, and none can be the gateway's.
func VolumeName(scope reconcile.Scope, name string) string {
	return scope.NetworkName() + ".volume." + name
}

// The five forms of mount that are ever made. The policy compares with them, so a
// mount that has anything more is denied.

func scopedVolume(scope reconcile.Scope, name, target string, readOnly bool) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: name, Target: target, ReadOnly: readOnly,
		VolumeOptions: &mount.VolumeOptions{Labels: scopeLabels(scope)},
	}
}

func externalVolume(name, target string, readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeVolume, Source: name, Target: target, ReadOnly: readOnly}
}

func tmpfs(target string, size int64) mount.Mount {
	return mount.Mount{
		Type: mount.TypeTmpfs, Target: target,
		TmpfsOptions: &mount.TmpfsOptions{SizeBytes: size, Mode: 0o1777},
	}
}

func bind(source, target string, readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: readOnly}
}

// directory is the mount of a directory that Fairlead made. What is mounted below
// it on the host stays there, and no mount passes from one side to the other.
func directory(b reconcile.Bind) mount.Mount {
	m := bind(b.Source, b.Target, b.ReadOnly)
	m.BindOptions = &mount.BindOptions{Propagation: mount.PropagationRPrivate, NonRecursive: true}
	return m
}

func secretsMount(source string) mount.Mount { return bind(source, secretsTarget, true) }

// scopeLabels mark an object as the scope's.
func scopeLabels(scope reconcile.Scope) map[string]string {
	return map[string]string{
		reconcile.LabelOwner:       scope.Owner,
		reconcile.LabelEnvironment: scope.Environment,
	}
}

// runnable is the name by which the engine finds the image of a container.
func runnable(image reconcile.Image) string {
	if image.Self {
		return selfTag(image.Pin)
	}
	return image.Pin
}

// restartMode translates a restart policy.
func restartMode(policy spec.RestartPolicy) container.RestartPolicyMode {
	switch policy {
	case spec.RestartUnlessStopped:
		return container.RestartPolicyUnlessStopped
	case spec.RestartOnFailure:
		return container.RestartPolicyOnFailure
	case spec.RestartNo:
	}
	return container.RestartPolicyDisabled
}

// restartPolicy is the inverse of restartMode. A mode that no spec can ask for
// keeps its name, and so differs from every spec.
func restartPolicy(mode container.RestartPolicyMode) spec.RestartPolicy {
	switch mode {
	case container.RestartPolicyUnlessStopped:
		return spec.RestartUnlessStopped
	case container.RestartPolicyOnFailure:
		return spec.RestartOnFailure
	case container.RestartPolicyDisabled, "":
		return spec.RestartNo
	case container.RestartPolicyAlways:
	}
	return spec.RestartPolicy(mode)
}

// tcpPort names a port as the API does.
func tcpPort(port int) nat.Port { return nat.Port(fmt.Sprintf("%d/tcp", port)) }

// seconds rounds up: a grace period is never shortened, nor made endless.
func seconds(d time.Duration) int { return int((max(d, 0) + time.Second - 1) / time.Second) }
