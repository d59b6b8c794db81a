package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

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
	for _, err := range []error{checkSticky(m.Sticky), checkMatch(m.Match), checkMirror(m.Mirror), checkOutputs(m.Outputs)} {
		if err != nil {
			say("%w", err)
		}
	}
	return errs
}

func checkSticky(s *spec.Sticky) error {
	if s == nil {
		return nil
	}
	if err := checkCaller(s.Header, s.Cookie); err != nil {
		return fmt.Errorf("sticky: %w", err)
	}
	return nil
}

func checkMatch(m *spec.Match) error {
	switch {
	case m == nil:
		return nil
	case m.Value == "":
		return errors.New("match: the value is empty, and so would match whoever sends nothing")
	}
	if err := checkCaller(m.Header, m.Cookie); err != nil {
		return fmt.Errorf("match: %w", err)
	}
	return nil
}

// checkCaller tells what is wrong with the header or cookie that tells callers
// apart.
func checkCaller(header, cookie string) error {
	name := cmp.Or(header, cookie)
	switch {
	case (header == "") == (cookie == ""):
		return fmt.Errorf("header is %q and cookie is %q, and exactly one of them has to be set", header, cookie)
	case strings.ContainsFunc(name, func(c rune) bool { return !tokenRune(c) }):
		return fmt.Errorf("%q cannot be the name of a header or a cookie", name)
	}
	return nil
}

// tokenRune tells whether names of headers and cookies may hold c (RFC 9110, 5.6.2).
func tokenRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

func checkMirror(m *spec.Mirror) error {
	switch {
	case m == nil:
		return nil
	case m.Percent < 0 || m.Percent > 100:
		return fmt.Errorf("mirror: %d percent of the requests is none from 0 to 100", m.Percent)
	case !(m.Tolerance >= 0 && m.Tolerance <= math.MaxFloat64):
		return fmt.Errorf("mirror: the tolerance %v is no number from 0 on", m.Tolerance)
	}
	return nil
}

func checkOutputs(outputs []ScoredOutput) error {
	seen := make(map[string]bool, len(outputs))
	for _, o := range outputs {
		if o.Name == "" || seen[o.Name] {
			return fmt.Errorf("output %q: the names of outputs are unique and not empty", o.Name)
		}
		seen[o.Name] = true
	}
	return nil
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
	if err := checkLimit(r.Limit); err != nil {
		return fmt.Errorf("route %s: %w", r.Path, err)
	}
	if err := r.Auth.check(); err != nil {
		return fmt.Errorf("route %s: %w", r.Path, err)
	}
	return nil
}

func checkLimit(l *spec.RouteLimit) error {
	if l != nil && (!(l.Rate >= 0 && l.Rate <= math.MaxFloat64) || l.Burst < 0 || l.Concurrency < 0) {
		return fmt.Errorf("the limit has the rate %v, the burst %d and the concurrency %d, and none of them may be below zero", l.Rate, l.Burst, l.Concurrency)
	}
	return nil
}

// check tells what is wrong with who may use a route.
func (a *RoutedAuth) check() error {
	if a == nil {
		return nil
	}
	if len(a.KeyHashes) == 0 && a.Issuer == "" {
		return errors.New("auth names neither a key nor an issuer of tokens, so nobody could use the route; leave the whole of it out for everybody")
	}
	const maxKeys = 1024 // all of them are compared on each request
	if len(a.KeyHashes) > maxKeys {
		return fmt.Errorf("auth: %d keys are more than the %d that a route can have; give callers tokens instead", len(a.KeyHashes), maxKeys)
	}
	for _, hash := range a.KeyHashes {
		if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || strings.ToLower(hash) != hash {
			return errors.New("auth: a key hash is no SHA-256 sum in lower-case hexadecimal digits")
		}
	}
	if !slices.IsSorted(a.KeyHashes) {
		return errors.New("auth: the key hashes are not sorted")
	}
	if (a.Issuer == "") != (a.Keys == "") {
		return errors.New("auth: an issuer of tokens and its key set belong together")
	}
	if a.Keys == "" {
		return nil
	}
	if _, err := spec.PublicKeys([]byte(a.Keys)); err != nil {
		return fmt.Errorf("auth: the key set of %s cannot be used: %w", a.Issuer, err)
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
	return t.FormatVersion == o.FormatVersion && t.Version == o.Version && slices.EqualFunc(t.Models, o.Models, RoutedModel.Equal)
}
