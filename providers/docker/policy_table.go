package docker

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/fairlead/fairlead/reconcile"
)

// rules has an entry for every field of the API types that make up a create
// request; a test compares it with the types. A zero field is not judged here.
var rules = map[string]rule{
	// What concerns only the container itself.
	"Config.User":        free,
	"Config.Env":         free,
	"Config.Cmd":         free,
	"Config.Image":       free,
	"Config.Entrypoint":  free,
	"Config.Labels":      free, // the scope's own are demanded by checkHardening
	"Config.StopSignal":  free,
	"Config.StopTimeout": free,
	"Config.Healthcheck": only(container.HealthConfig{Test: []string{"NONE"}}),

	"HostConfig.RestartPolicy":  restartRule,
	"HostConfig.ReadonlyRootfs": free,
	"HostConfig.ShmSize":        free,
	"HostConfig.LogConfig":      logRule,
	"HostConfig.NanoCPUs":       free,
	"HostConfig.Memory":         free,
	"HostConfig.MemorySwap":     free, // demanded to equal Memory
	"HostConfig.PidsLimit":      free, // demanded to be set
	"HostConfig.Ulimits":        free,
	"HostConfig.IpcMode":        free, // demanded to be private
	"HostConfig.CapDrop":        free, // demanded to be ALL
	"HostConfig.SecurityOpt":    free, // demanded to be no-new-privileges, alone
	"HostConfig.NetworkMode":    free, // demanded to be the scope's, or the host's where granted

	// What the operator may grant.
	"HostConfig.Privileged":     privilegedRule,
	"HostConfig.CapAdd":         capabilityRule,
	"HostConfig.Devices":        deviceRule,
	"HostConfig.DeviceRequests": gpuRule,
	"HostConfig.Mounts":         mountRule,

	// What only Fairlead's gateway has.
	"Config.ExposedPorts":     gatewayOnly,
	"HostConfig.PortBindings": publishRule,

	"NetworkingConfig.EndpointsConfig": endpointRule,

	// What nothing may have. Each opens the host, another container or the
	// network to the container, or loosens what the kernel or the engine keep.
	"Config.Hostname":                 never,
	"Config.Domainname":               never,
	"Config.AttachStdin":              never,
	"Config.AttachStdout":             never,
	"Config.AttachStderr":             never,
	"Config.Tty":                      never,
	"Config.OpenStdin":                never,
	"Config.StdinOnce":                never,
	"Config.ArgsEscaped":              never,
	"Config.Volumes":                  never,
	"Config.WorkingDir":               never,
	"Config.NetworkDisabled":          never,
	"Config.MacAddress":               never,
	"Config.OnBuild":                  never,
	"Config.Shell":                    never,
	"HostConfig.Binds":                never,
	"HostConfig.ContainerIDFile":      never,
	"HostConfig.AutoRemove":           never,
	"HostConfig.VolumeDriver":         never,
	"HostConfig.VolumesFrom":          never,
	"HostConfig.ConsoleSize":          never,
	"HostConfig.Annotations":          never,
	"HostConfig.CgroupnsMode":         never,
	"HostConfig.DNS":                  never,
	"HostConfig.DNSOptions":           never,
	"HostConfig.DNSSearch":            never,
	"HostConfig.ExtraHosts":           never,
	"HostConfig.GroupAdd":             never,
	"HostConfig.Cgroup":               never,
	"HostConfig.Links":                never,
	"HostConfig.OomScoreAdj":          never,
	"HostConfig.PidMode":              never,
	"HostConfig.PublishAllPorts":      never,
	"HostConfig.StorageOpt":           never,
	"HostConfig.Tmpfs":                never,
	"HostConfig.UTSMode":              never,
	"HostConfig.UsernsMode":           never,
	"HostConfig.Sysctls":              never,
	"HostConfig.Runtime":              never,
	"HostConfig.Isolation":            never,
	"HostConfig.MaskedPaths":          never,
	"HostConfig.ReadonlyPaths":        never,
	"HostConfig.Init":                 never,
	"HostConfig.CPUShares":            never,
	"HostConfig.CgroupParent":         never,
	"HostConfig.BlkioWeight":          never,
	"HostConfig.BlkioWeightDevice":    never,
	"HostConfig.BlkioDeviceReadBps":   never,
	"HostConfig.BlkioDeviceWriteBps":  never,
	"HostConfig.BlkioDeviceReadIOps":  never,
	"HostConfig.BlkioDeviceWriteIOps": never,
	"HostConfig.CPUPeriod":            never,
	"HostConfig.CPUQuota":             never,
	"HostConfig.CPURealtimePeriod":    never,
	"HostConfig.CPURealtimeRuntime":   never,
	"HostConfig.CpusetCpus":           never,
	"HostConfig.CpusetMems":           never,
	"HostConfig.DeviceCgroupRules":    never,
	"HostConfig.KernelMemory":         never,
	"HostConfig.KernelMemoryTCP":      never,
	"HostConfig.MemoryReservation":    never,
	"HostConfig.MemorySwappiness":     never,
	"HostConfig.OomKillDisable":       never,
	"HostConfig.CPUCount":             never,
	"HostConfig.CPUPercent":           never,
	"HostConfig.IOMaximumIOps":        never,
	"HostConfig.IOMaximumBandwidth":   never,
}

func free(grounds, any) []reconcile.Denial { return nil }

func never(_ grounds, value any) []reconcile.Denial {
	return []reconcile.Denial{{Value: brief(value), Remedy: "no setting grants it"}}
}

// only allows one value.
func only[T any](allowed T) rule {
	return func(g grounds, value any) []reconcile.Denial {
		if reflect.DeepEqual(value, &allowed) {
			return nil
		}
		return never(g, value)
	}
}

func restartRule(g grounds, value any) []reconcile.Denial {
	policy := value.(container.RestartPolicy)
	if policy.MaximumRetryCount == 0 && restartMode(restartPolicy(policy.Name)) == policy.Name {
		return nil
	}
	return never(g, value)
}

func logRule(g grounds, value any) []reconcile.Denial {
	for option := range value.(container.LogConfig).Config {
		if option != "max-size" && option != "max-file" {
			return never(g, option)
		}
	}
	return nil
}

func privilegedRule(g grounds, _ any) []reconcile.Denial {
	if g.policy.Privileged {
		return nil
	}
	return []reconcile.Denial{{Field: "privileged", Value: "true", Remedy: "start serve with --allow-privileged"}}
}

func capabilityRule(g grounds, value any) []reconcile.Denial {
	var denials []reconcile.Denial
	granted := buildCapabilities(g.policy.Capabilities)
	for _, name := range reflect.ValueOf(value).Seq2() {
		if asked := name.String(); !slices.Contains(granted, asked) {
			short := strings.TrimPrefix(asked, "CAP_")
			denials = append(denials, reconcile.Denial{
				Field: "capabilities", Value: short, Remedy: "start serve with --allow-capability " + short,
			})
		}
	}
	return denials
}

func deviceRule(g grounds, value any) []reconcile.Denial {
	var denials []reconcile.Denial
	for _, d := range value.([]container.DeviceMapping) {
		canonical := container.DeviceMapping{
			PathOnHost: d.PathOnHost, PathInContainer: d.PathOnHost, CgroupPermissions: devicePermissions,
		}
		if d != canonical || !slices.Contains(g.policy.Devices, d.PathOnHost) {
			denials = append(denials, reconcile.Denial{
				Field: "devices", Value: d.PathOnHost, Remedy: "start serve with --allow-device " + d.PathOnHost,
			})
		}
	}
	return denials
}

func gpuRule(g grounds, value any) []reconcile.Denial {
	for _, request := range value.([]container.DeviceRequest) {
		if !reflect.DeepEqual(request, gpuRequest(request.Count, request.DeviceIDs)) {
			return never(g, value)
		}
		if g.policy.DenyGPUs {
			return []reconcile.Denial{{Field: "resources.gpus", Value: brief(value), Remedy: "start serve without --deny-gpus"}}
		}
	}
	return nil
}

func mountRule(g grounds, value any) []reconcile.Denial {
	var denials []reconcile.Denial
	for _, m := range value.([]mount.Mount) {
		if remedy, ok := g.mountAllowed(m); !ok {
			denials = append(denials, reconcile.Denial{
				Field: "mount", Value: fmt.Sprintf("%s %s at %s", m.Type, m.Source, m.Target), Remedy: remedy,
			})
		}
	}
	return denials
}

// volumeName is what the engine accepts as the name of a volume. Anything else,
// above all a path, would be another kind of mount.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// mountAllowed compares a mount with the forms that build makes. The comparison
// is with the whole value, so no option can ride along.
func (g grounds) mountAllowed(m mount.Mount) (remedy string, ok bool) {
	const noOptions = "mounts have no other options than those of the spec"
	if !strings.HasPrefix(m.Target, "/") || m.Target == "/" {
		return "write a full path as the target", false
	}
	switch m.Type {
	case mount.TypeTmpfs:
		var size int64
		if m.TmpfsOptions != nil {
			size = m.TmpfsOptions.SizeBytes
		}
		return noOptions, reflect.DeepEqual(m, tmpfs(m.Target, size))
	case mount.TypeVolume:
		return g.volumeAllowed(m)
	case mount.TypeBind:
		if g.secrets != "" && reflect.DeepEqual(m, secretsMount(g.secrets)) {
			return "", true
		}
		if g.gateway && g.certs != "" && reflect.DeepEqual(m, certificates(g.certs)) {
			return "", true
		}
		if within(m.Target, secretsTarget) {
			return secretsTarget + " is where Fairlead puts secrets", false
		}
		if slices.ContainsFunc(g.binds, func(b reconcile.Bind) bool { return reflect.DeepEqual(m, directory(b)) }) {
			return "", true
		}
		if !reflect.DeepEqual(m, bind(m.Source, m.Target, m.ReadOnly)) {
			return noOptions, false
		}
		return g.bindAllowed(m.Source, m.ReadOnly)
	case mount.TypeCluster, mount.TypeImage, mount.TypeNamedPipe:
	}
	return "mount a volume, bind or tmpfs", false
}

func (g grounds) volumeAllowed(m mount.Mount) (remedy string, ok bool) {
	if !volumeName.MatchString(m.Source) {
		return "the name of a volume has letters, digits, _, . and -", false
	}
	scoped := reflect.DeepEqual(m, scopedVolume(g.scope, m.Source, m.Target, m.ReadOnly))
	_, own := g.own[m.Source]
	if scoped && (own || strings.HasPrefix(m.Source, VolumeName(g.scope, ""))) {
		return "", true
	}
	external := reflect.DeepEqual(m, externalVolume(m.Source, m.Target, m.ReadOnly))
	return "start serve with --allow-volume " + m.Source, external && slices.Contains(g.policy.Volumes, m.Source)
}

func gatewayOnly(g grounds, value any) []reconcile.Denial {
	if g.gateway {
		return nil
	}
	return []reconcile.Denial{{Value: brief(value), Remedy: "only the gateway has ports of the host; add a route"}}
}

func publishRule(g grounds, value any) []reconcile.Denial {
	for _, bindings := range value.(nat.PortMap) {
		for _, b := range bindings {
			if b.HostPort == "" || b.HostPort == "0" {
				return never(g, value)
			}
		}
	}
	return gatewayOnly(g, value)
}

func endpointRule(g grounds, value any) []reconcile.Denial {
	for name, endpoint := range value.(map[string]*network.EndpointSettings) {
		if name != g.scope.NetworkName() || !reflect.DeepEqual(endpoint, &network.EndpointSettings{}) {
			return []reconcile.Denial{{Value: name, Remedy: "containers are on the network of their environment only"}}
		}
	}
	return nil
}

// brief is a value in an error message.
func brief(value any) string {
	const longest = 80
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && !v.IsNil() {
		value = v.Elem().Interface()
	}
	text := fmt.Sprintf("%v", value)
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return text
}
