package docker

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Policy is what this host grants to the specs of a config repo. It is the
// operator's configuration, never part of the repo: whoever may change a spec
// must not be able to widen what specs may do. The zero value grants none of it.
//
// Not governed are what only concerns the container itself: image, command, env,
// user, limits, tmpfs mounts, and named volumes, which are the scope's own (see
// [VolumeName]).
type Policy struct {
	// Binds are host paths that may be mounted with everything below them. An
	// entry that ends in ":ro" grants reading only. Symbolic links are followed
	// before the comparison, on both sides. A container that may write to a
	// directory can put links there, which the engine follows when another
	// container that mounts them starts again: grant writing only where one
	// model owns the directory. The engine's socket and Fairlead's own secrets
	// stay out of reach, also through a directory above them.
	Binds []string
	// Volumes are names of volumes of the engine, made by the operator, that may
	// be mounted as they are.
	Volumes []string
	// Devices are device paths of the host.
	Devices []string
	// Capabilities are kernel capabilities, with or without CAP_.
	Capabilities []string
	// Privileged grants everything: a privileged container is root on the host.
	Privileged bool
	// HostNetwork lets a container share the host's network.
	HostNetwork bool
	// DenyGPUs refuses graphics processors, which are granted like processors
	// and memory otherwise: models are what this host is for.
	DenyGPUs bool
}

// capabilityName is a kernel capability as people write it.
var capabilityName = regexp.MustCompile(`^(?i)(CAP_)?[A-Z_]+$`)

// validate finds entries that could never grant anything, which their author
// would notice only when a model is denied.
func (p Policy) validate() error {
	var problems []error
	complain := func(flag, entry, remedy string) {
		problems = append(problems, fmt.Errorf("%s %q: %s", flag, entry, remedy))
	}
	for _, entry := range p.Binds {
		if !path.IsAbs(strings.TrimSuffix(entry, ":ro")) {
			complain("--allow-bind", entry, "write the full path of the host, with :ro at its end for reading only")
		}
	}
	for _, entry := range p.Devices {
		if !path.IsAbs(entry) {
			complain("--allow-device", entry, "write the full path of the device, as /dev/fuse")
		}
	}
	for _, entry := range p.Volumes {
		if !volumeName.MatchString(entry) {
			complain("--allow-volume", entry, "write the name of a volume; a directory of the host goes to --allow-bind")
		}
	}
	for _, entry := range p.Capabilities {
		if !capabilityName.MatchString(entry) || capability(entry) == "CAP_ALL" {
			complain("--allow-capability", entry, "write one capability, as NET_BIND_SERVICE; for all of them there is --allow-privileged")
		}
	}
	return errors.Join(problems...)
}

// judge applies a Policy to final API objects.
type judge struct {
	policy Policy
	scope  reconcile.Scope
	host   *localHost // nil: the engine is on another host
}

// grounds is what a verdict needs beside the policy: who the container is.
type grounds struct {
	judge
	gateway bool
	own     map[string]string // Fairlead's own volumes: name -> target
	binds   []reconcile.Bind  // Fairlead's own directories
	secrets string            // source of the secret files, "" for none
	certs   string            // directory of the gateway's certificate, "" for none
}

// grounds collects them.
func (j judge) grounds(c reconcile.ContainerSpec, secretsSource string) grounds {
	return grounds{
		judge:   j,
		gateway: c.Labels[reconcile.LabelKind] == string(spec.KindGateway),
		own:     c.Volumes,
		binds:   c.Binds,
		secrets: secretsSource,
		certs:   c.Certificates,
	}
}

// resolveBinds replaces the source of each bind mount that a spec asks for by what
// it really is, so that the engine mounts what was judged.
func (j judge) resolveBinds(o object) {
	for i, m := range o.Host.Mounts {
		own := m.Target == secretsTarget || m.Target == reconcile.GatewayCertDir || m.BindOptions != nil
		if m.Type == mount.TypeBind && !own {
			o.Host.Mounts[i].Source = j.host.resolved(m.Source)
		}
	}
}

// rule judges the value of one field that is not zero.
type rule func(g grounds, value any) []reconcile.Denial

// check judges an object. Each field of the API types has a rule in the table of
// policy_table.go; a field without one is denied, so an API that grows does not
// grow what specs may do.
func (g grounds) check(o object) []reconcile.Denial {
	var denials []reconcile.Denial
	for _, part := range []struct {
		name  string
		value any
	}{
		{"Config", o.Config},
		{"HostConfig", o.Host},
		{"NetworkingConfig", o.Network},
	} {
		denials = append(denials, g.checkFields(part.name, reflect.ValueOf(part.value).Elem())...)
	}
	return append(denials, g.checkHardening(o)...)
}

// checkFields judges the fields of one struct. Resources, which HostConfig
// embeds, count as its own.
func (g grounds) checkFields(name string, value reflect.Value) []reconcile.Denial {
	var denials []reconcile.Denial
	for i := range value.NumField() {
		field := value.Type().Field(i)
		switch {
		case field.Anonymous:
			denials = append(denials, g.checkFields(name, value.Field(i))...)
		case value.Field(i).IsZero():
		default:
			verdict, known := rules[name+"."+field.Name]
			if !known {
				verdict = never
			}
			for _, d := range verdict(g, value.Field(i).Interface()) {
				if d.Field == "" {
					d.Field = name + "." + field.Name
				}
				denials = append(denials, d)
			}
		}
	}
	return denials
}

// checkHardening demands what every container has: here a missing value is the
// danger, not one that is too much.
func (g grounds) checkHardening(o object) []reconcile.Denial {
	var denials []reconcile.Denial
	demand := func(ok bool, field string, value any, remedy string) {
		if !ok {
			denials = append(denials, reconcile.Denial{Field: field, Value: fmt.Sprint(value), Remedy: remedy})
		}
	}
	const always = "every container of Fairlead has it; this is a defect of Fairlead, please report it"
	demand(g.scope.Owns(o.Config.Labels), "labels", o.Config.Labels, always)
	demand(slices.Equal(o.Host.CapDrop, []string{"ALL"}), "HostConfig.CapDrop", o.Host.CapDrop, always)
	demand(slices.Equal(o.Host.SecurityOpt, []string{noNewPrivileges}), "HostConfig.SecurityOpt", o.Host.SecurityOpt, always)
	demand(o.Host.LogConfig.Type == logDriver, "HostConfig.LogConfig", o.Host.LogConfig.Type, always)
	demand(o.Host.IpcMode == container.IPCModePrivate, "HostConfig.IpcMode", o.Host.IpcMode, always)
	demand(o.Host.MemorySwap == o.Host.Memory, "HostConfig.MemorySwap", o.Host.MemorySwap, always)
	mode := string(o.Host.NetworkMode)
	demand(mode == g.scope.NetworkName() || mode == network.NetworkNone || g.policy.HostNetwork && mode == network.NetworkHost,
		"host_network", mode, "start serve with --allow-host-network")
	limited := o.Host.PidsLimit != nil && *o.Host.PidsLimit > 0
	demand(limited, "resources.pids", "unlimited", "set a limit of processes in the spec")
	return denials
}

// bindAllowed tells whether a host path may be mounted, and if not, why.
func (g grounds) bindAllowed(source string, readOnly bool) (reason string, ok bool) {
	if !filepath.IsAbs(source) || path.Clean(source) != source {
		return "write the full path of the host, without . and .. in it", false
	}
	if g.host != nil {
		if real, err := filepath.EvalSymlinks(source); err != nil || real != source {
			return "no such file or directory on this host", false
		}
		if secret := g.host.reaches(source); secret != "" {
			return "it leads to " + secret + ", which is never granted", false
		}
	}
	for _, entry := range g.policy.Binds {
		allowed, onlyReading := strings.CutSuffix(entry, ":ro")
		if onlyReading && !readOnly {
			continue
		}
		if within(source, g.host.resolved(allowed)) {
			return "", true
		}
	}
	mode := ""
	if readOnly {
		mode = ":ro"
	}
	return "start serve with --allow-bind " + source + mode, false
}

// within tells whether a cleaned absolute path is dir or below it.
func within(name, dir string) bool {
	dir = path.Clean(dir)
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}
