package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// grants decodes what an include may ask for beyond its own.
func (s section) grants() []spec.Grant {
	a := s.n.args.get("allow")
	if a == nil || a.broken {
		return nil
	}
	var list []spec.Grant
	for _, k := range a.keywords {
		if grant := spec.Grant(k.word); !slices.Contains(list, grant) {
			list = append(list, grant)
		}
	}
	slices.Sort(list)
	return list
}

// denied tells whether the repo at hand is included, and without a grant.
func (s section) denied(g spec.Grant) (i *spec.Include, denied bool) {
	i = s.ev.module.include
	return i, i != nil && !slices.Contains(i.Allow, g)
}

// ofHost refuses an argument of an included repo that asks for what is the host's. What
// the operator allows specs to ask of it was allowed for the sake of the root: who writes
// there could have any of it, and be root on the host by some.
func (s section) ofHost(name string, asked bool) {
	if i, denied := s.denied(spec.GrantHost); asked && denied {
		s.errorf(s.at(name), "Not in an included repo", "Volumes, directories, devices and privileges of the daemon's host are for the root alone. Remove it, or ask whoever keeps the root to write allow = [host] into include %q.", i.Name)
	}
}

// checkPublished keeps what an included repo publishes in repositories of its own: the
// daemon's credentials may reach all of a registry.
func (s section) checkPublished(ref string) {
	i, denied := s.denied(spec.GrantPublish)
	if !denied || ownRepository(i, ref) {
		return
	}
	own := strings.TrimPrefix(i.RoutePath(), "/")
	s.errorf(s.at("registry"), "Registry outside of the prefix", "What this repo publishes belongs where nothing of others is: a part of the path is %s, or its last one begins with %s-, such as oci://HOST/%s/digits. Or ask whoever keeps the root to write allow = [publish] into include %q.", own, own, own, i.Name)
}

// checkLocalTag keeps an included repo from following tags of others in the daemon's own
// store, which are easily guessed. A digest is told by nobody but who has it.
func (s section) checkLocalTag(ref string) {
	i := s.ev.module.include
	name, local := strings.CutPrefix(ref, "oci://local/")
	if i == nil || !local || strings.Contains(name, "@") || strings.HasPrefix(name, i.Prefix) {
		return
	}
	s.errorf(s.at("source"), "Name outside of the prefix", "Tags of the daemon's own store can be followed of what this repo publishes itself: oci://local/%s.... Name the data of others by its digest.", i.Prefix)
}

// ownRepository tells whether a repository of a registry is an include's, by its path.
func ownRepository(i *spec.Include, ref string) bool {
	_, path, _ := strings.Cut(strings.TrimPrefix(ref, "oci://"), "/")
	parts := strings.Split(plainPrefix(path), "/")
	prefix := plainPrefix(i.Prefix)
	return slices.Contains(parts, strings.TrimRight(prefix, "_")) || strings.HasPrefix(parts[len(parts)-1], prefix)
}
