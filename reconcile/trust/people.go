package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// login is a name as it is compared: forges do not tell upper from lower case.
func login(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
}

// people are those whom a list of names stands for.
type people struct {
	logins map[string]bool
	// unknown are the names of whom nobody is known, each with why.
	unknown []string
}

// resolve finds out who is meant by names: a group of the trust block, a team of the
// forge where the name has a slash, else a login. A bare name is never a team, or else
// whoever may make teams takes the place of a person.
func resolve(names []string, t *spec.Trust, teams map[string]Team) people {
	p := people{logins: make(map[string]bool)}
	for _, name := range names {
		id := login(name)
		members, found := inTrust(id, t)
		team, asked := teams[id]
		switch {
		case found:
		case strings.Contains(id, "@"):
			p.unknown = append(p.unknown, name+" is an address, whose login is not known")
		case !isTeam(id):
			members = []string{id}
		case !asked:
			p.unknown = append(p.unknown, name+" was not asked for")
		case team.Err != nil:
			p.unknown = append(p.unknown, fmt.Sprintf("the team %s cannot be asked for: %v", name, team.Err))
		case !team.Known:
			p.unknown = append(p.unknown, "the team "+name+" cannot be asked for: the forge has none of that name, or does not show it to the daemon's account")
		default:
			members = team.Members
		}
		for _, m := range members {
			p.logins[login(m)] = true
		}
	}
	return p
}

// isTeam tells whether a name is one of a team: acme/vision.
func isTeam(id string) bool { return strings.Contains(id, "/") }

// inTrust are those of whom the trust block itself knows who they are.
func inTrust(id string, t *spec.Trust) (members []string, found bool) {
	if t == nil {
		return nil, false
	}
	for _, g := range t.Groups {
		if login(g.Name) == id {
			return g.Members, true
		}
	}
	if slices.ContainsFunc(t.Signers, func(s spec.Signer) bool { return s.Role == spec.SignerPerson && signerLogin(s) == id }) {
		return []string{id}, true
	}
	return nil, false
}

func signerLogin(s spec.Signer) string {
	if s.Login != "" {
		return login(s.Login)
	}
	return login(s.Name)
}

// names are the teams that rules, owners and CODEOWNERS name, without doubles, sorted.
func (in *Input) names() []string {
	var all []string
	add := func(names []string, t *spec.Trust) {
		for _, name := range names {
			id := login(name)
			if _, found := inTrust(id, t); !found && isTeam(id) && !strings.Contains(id, "@") {
				all = append(all, id)
			}
		}
	}
	for _, t := range in.Rules.each() {
		for i := range t.Reviews {
			add(t.Reviews[i].From, t)
		}
	}
	if in.Evidence != nil && in.Rules.Owned() {
		j := newJudge(*in)
		for _, ch := range j.changes() {
			for _, need := range j.ownership(spec.ReviewRule{Owners: true}, ch) {
				add(need.names, need.in)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// groups is the block whose groups owners are looked up in.
func (r Rules) groups() *spec.Trust {
	if r.Old != nil {
		return r.Old
	}
	return r.Root
}
