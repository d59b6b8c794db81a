package reconcile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/spec"
)

// Validate tells everything that is wrong with the table, or nil. A Router takes
// a table whole or not at all, so this is the one gate in front of the traffic:
// what passes can be served.
func (t Table) Validate() error {
	var errs []error
	if t.FormatVersion != TableFormat {
		errs = append(errs, fmt.Errorf("format_version is %d, this gateway reads %d: let the daemon and the gateway run the same release", t.FormatVersion, TableFormat))
	}
	if t.Version == 0 {
		errs = append(errs, errors.New("version is 0, which stands for no table: the first one is 1"))
	}
	names := make(map[string]bool, len(t.Models))
	routes := make(map[RoutedPath]string)
	owners := make(map[string]string)
	for i, m := range t.Models {
		if names[m.Name] {
			errs = append(errs, fmt.Errorf("model %s is listed twice", m.Name))
		}
		if i > 0 && m.Name < t.Models[i-1].Name {
			errs = append(errs, fmt.Errorf("model %s follows %s: models are sorted by name", m.Name, t.Models[i-1].Name))
		}
		names[m.Name] = true
		errs = append(errs, m.problems(routes, owners)...)
	}
	for _, m := range t.Models {
		for _, r := range m.Routes {
			if r.Fallback != "" && (!names[r.Fallback] || r.Fallback == m.Name) {
				errs = append(errs, fmt.Errorf("model %s, route %s: fallback %q is no other model of this table", m.Name, r.Path, r.Fallback))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("routing table %d is not valid: %w", t.Version, err)
	}
	return nil
}

// problems lists what is wrong with one model. routes and owners collect what
// must be unique in the whole table: each way in, each container id.
func (m RoutedModel) problems(routes map[RoutedPath]string, owners map[string]string) []error {
	var errs []error
	say := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("model %s: "+format, append([]any{m.Name}, args...)...))
	}
	if !spec.ValidName(m.Name) {
		say("%q is not a name", m.Name)
	}
	if m.Protocol != spec.OpenInference && m.Protocol != spec.HTTP {
		say("protocol %q is unknown", m.Protocol)
	}
	for _, r := range m.Routes {
		if err := r.check(); err != nil {
			say("%w", err)
		}
		way := RoutedPath{Host: r.Host, Path: r.Path}
		if other, taken := routes[way]; taken {
			say("route %s%s leads to model %s already", r.Host, r.Path, other)
		}
		routes[way] = m.Name
	}
	total := 0
	for i, rev := range m.Revisions {
		if i > 0 && rev.Revision <= m.Revisions[i-1].Revision {
			say("revision %q follows %q: revisions are sorted and unique", rev.Revision, m.Revisions[i-1].Revision)
		}
		if rev.Revision == "" || rev.Weight < 0 || rev.Weight > 100 {
			say("revision %q has weight %d: a revision has a name and a weight from 0 to 100", rev.Revision, rev.Weight)
		}
		if err := rev.Health.check(); err != nil {
			say("revision %q: %w", rev.Revision, err)
		}
		total += rev.Weight
		for _, r := range rev.Replicas {
			if other, taken := owners[r.ID]; taken || r.ID == "" {
				say("replica %q of revision %s: ids are unique and not empty (taken by %q)", r.ID, rev.Revision, other)
			}
			owners[r.ID] = m.Name
			if err := CheckReplicaAddress(r.Address); err != nil {
				say("replica %.12s: %w", r.ID, err)
			}
		}
	}
	if total != 0 && total != 100 {
		say("the weights of its revisions add up to %d, not to 100 (or 0 for a model that does not serve)", total)
	}
	return errs
}

// check tells what is wrong with one route.
func (r RoutedPath) check() error {
	if err := spec.CheckRoutePath(r.Path); err != nil {
		return fmt.Errorf("the path %q of a route: %w", r.Path, err)
	}
	if r.Host != "" {
		if err := spec.CheckHost(r.Host); err != nil {
			return fmt.Errorf("the host %q of route %s: %w", r.Host, r.Path, err)
		}
	}
	if r.Timeout < 0 {
		return fmt.Errorf("route %s has a negative time-out", r.Path)
	}
	return nil
}

// check tells what is wrong with a probe.
func (h HealthProbe) check() error {
	if err := spec.CheckProbePath(h.Path); err != nil {
		return fmt.Errorf("the path %q of the health probe: %w", h.Path, err)
	}
	if h.Interval <= 0 || h.Timeout <= 0 {
		return fmt.Errorf("the health probe has the interval %s and the time-out %s, and both have to be above zero", h.Interval, h.Timeout)
	}
	return nil
}

// CheckReplicaAddress tells why the gateway must not send requests to an
// address. Only ip:port is taken: a name could be resolved to anything, later.
// Link-local addresses hold cloud metadata services, which answer credentials
// to whoever can reach them; a container on a bridge network never has one.
func CheckReplicaAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not ip:port", address)
	}
	ip := ap.Addr().Unmap()
	switch {
	case ap.Port() == 0:
		return fmt.Errorf("address %q has no port", address)
	case ip.IsUnspecified(), ip.IsMulticast(), ip.IsLinkLocalUnicast(), ip.Zone() != "", ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("address %q is unspecified, multicast, broadcast or link-local: no replica of a model can have it", address)
	}
	return nil
}

// Equal tells whether both tables say the same, which is what makes the
// repetition of a Push whose answer was lost harmless.
func (t Table) Equal(o Table) bool {
	return t.FormatVersion == o.FormatVersion && t.Version == o.Version &&
		slices.EqualFunc(t.Models, o.Models, func(a, b RoutedModel) bool {
			return a.Name == b.Name && a.Protocol == b.Protocol &&
				slices.Equal(a.Routes, b.Routes) &&
				slices.EqualFunc(a.Revisions, b.Revisions, func(a, b RoutedRevision) bool {
					return a.Revision == b.Revision && a.Weight == b.Weight && a.Health == b.Health && slices.Equal(a.Replicas, b.Replicas)
				})
		})
}
