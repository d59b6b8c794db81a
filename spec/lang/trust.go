package lang

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
)

// decodeTrust makes the rules by which the next commit is judged; nil where the
// repo has none.
func (e *evaluator) decodeTrust() *spec.Trust {
	if len(e.symbols.trust) == 0 {
		return nil
	}
	return section{ev: e, n: e.symbols.trust[0], sc: &scope{}}.trust()
}

var (
	commitForm = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	// loginForm is a name on a forge, of a person or an app: ann, renovate[bot].
	loginForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}(?:\[bot\])?$`)
	// groupForm also takes the teams of forges: acme/vision.
	groupForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]{0,254}$`)
)

// trust decodes a trust block. What is refused would let nobody in for ever, or
// would look like a gate and be none.
func (s section) trust() *spec.Trust {
	t := &spec.Trust{Pos: specPos(s.n.rng), Mode: spec.TrustMode(s.keyword("mode")), Since: s.str("since")}
	if t.Since != "" && !commitForm.MatchString(t.Since) {
		s.errorf(s.at("since"), "Invalid commit", "since is the full id of a commit, 40 hexadecimal digits, as `git rev-parse REF` prints it: a short one, or the name of a branch, could come to mean another commit.")
	}
	for _, c := range s.children("signer") {
		t.Signers = append(t.Signers, c.signer())
	}
	for _, c := range s.children("group") {
		t.Groups = append(t.Groups, c.group())
	}
	for _, c := range s.children("review") {
		t.Reviews = append(t.Reviews, c.review())
	}
	if (t.Mode == spec.TrustEvery || t.Mode == spec.TrustHead) && len(t.Signers) == 0 {
		s.errorf(s.n.rng, "Nobody may sign", "With mode = %s a commit counts if somebody known has signed it, and no signer is declared, so none ever would. Declare who may sign:\n    signer \"ann\" {\n      ssh = [\"ssh-ed25519 AAAA...\"]\n    }\nor write mode = off.", t.Mode)
	}
	s.checkNames(t)
	s.checkSameKeys(t)
	s.checkEnough(t)
	slices.SortFunc(t.Signers, func(a, b spec.Signer) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Groups, func(a, b spec.Group) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Reviews, func(a, b spec.ReviewRule) int { return cmp.Compare(a.Name, b.Name) })
	return t
}

func (s section) signer() spec.Signer {
	signer := spec.Signer{
		Name: s.n.label, Pos: specPos(s.n.rng), Login: s.str("login"),
		SSH: s.sshKeys(), GPG: s.gpgKeys(), Role: spec.SignerRole(s.keyword("role")),
		ValidFrom: s.time("valid_from"), ValidUntil: s.time("valid_until"), Revoked: s.time("revoked"),
	}
	if !loginForm.MatchString(signer.Name) {
		s.errorf(s.n.rng, "Invalid label", "The label of a signer is a short name, as on a forge: letters, digits, ., _ and -, without @ and spaces.")
	}
	if signer.Login != "" && !loginForm.MatchString(signer.Login) {
		s.errorf(s.at("login"), "Invalid login", "A login is the name on the forge, without @ and spaces: letters, digits, ., _ and -.")
	}
	if !s.has("ssh") && !s.has("gpg") || s.emptyList("ssh") && s.emptyList("gpg") {
		s.errorf(s.n.rng, "Signer without key", "Nothing that this signer signs could be told from a forgery. Write ssh = [\"ssh-ed25519 AAAA...\"], or gpg with an armoured public key. To bar a signer, write revoked.")
	}
	if from, until := signer.ValidFrom, signer.ValidUntil; !from.IsZero() && !until.IsZero() && !from.Before(until) {
		s.errorf(s.at("valid_until"), "Contradictory values", "valid_until is not after valid_from, so no signature could ever count.")
	}
	return signer
}

// emptyList tells whether a list is left out, or has nothing in it.
func (s section) emptyList(name string) bool {
	v, ok := s.typed(name)
	return ok && (v.IsNull() || v.LengthInt() == 0)
}

func (s section) group() spec.Group {
	g := spec.Group{Name: s.n.label, Members: s.stringList("members"), Pos: specPos(s.n.rng)}
	if !groupForm.MatchString(g.Name) {
		s.errorf(s.n.rng, "Invalid label", "The label of a group is a name without @ and spaces, such as \"vision\" or \"acme/vision\".")
	}
	if s.has("members") && s.emptyList("members") {
		s.errorf(s.at("members"), "Empty list", "A group without members could never approve anything. Name its members, or remove the group.")
	}
	for i, member := range g.Members {
		if !loginForm.MatchString(member) {
			s.errorf(s.itemAt("members", i), "Invalid login", "A member is a login on the forge, without @ and spaces: members = [\"ann\"].")
		}
	}
	g.Members = distinct(g.Members)
	return g
}

// distinct leaves repetitions out, and keeps the order.
func distinct(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

func (s section) review() spec.ReviewRule {
	r := spec.ReviewRule{
		Name: s.n.label, Pos: specPos(s.n.rng), Paths: s.stringList("paths"), Approvals: s.integer("approvals"),
		From: s.stringList("from"), Owners: s.boolean("owners"),
	}
	for i, glob := range r.Paths {
		if problem := globProblem(glob); problem != "" {
			s.errorf(s.itemAt("paths", i), "Invalid pattern", "%s", problem)
		}
	}
	if s.has("paths") && s.emptyList("paths") {
		s.errorf(s.at("paths"), "Empty list", "A rule about no path asks for nothing. Write a pattern, such as \"models/**\", or remove the argument: the rule is about all paths then.")
	}
	for i, who := range r.From {
		if name, isName := strings.CutPrefix(who, "@"); !isName || !loginForm.MatchString(name) && !groupForm.MatchString(name) {
			s.errorf(s.itemAt("from", i), "Invalid name", "Who approves is written with @: \"@ann\" for a login on the forge, \"@vision\" for a group.")
		}
	}
	if s.has("from") && s.emptyList("from") {
		s.errorf(s.at("from"), "Empty list", "The list names nobody, so nobody could approve. Write @LOGIN or @GROUP, or remove the argument.")
	}
	if s.evaluates("approvals") && s.evaluates("owners") && r.Approvals == 0 && !r.Owners {
		s.errorf(s.n.rng, "Review of nobody", "This rule asks for no approval at all. Write approvals = 1, owners = true, or both.")
	}
	return r
}

// globProblem tells what is wrong with a pattern over paths.
func globProblem(glob string) string {
	switch {
	case glob == "":
		return "A pattern over paths is needed, such as \"models/**\"."
	case strings.HasPrefix(glob, "/") || strings.HasPrefix(glob, "./") || hasDots(glob) || strings.Contains(glob, `\`):
		return "A pattern counts from the top of what Fairlead reads, as the paths that it is compared with: no leading / or ./, no .. and no \\. Write \"models/**\"."
	case strings.HasSuffix(glob, "/"):
		return "Changes are of files, and no file has a path that ends in /. For all below the directory write " + glob + "**."
	case !doublestar.ValidatePattern(glob):
		return "This is no pattern: a [ or { in it is not closed. Patterns have * for anything in a name, ** for any directories, ? for a character, [a-z] and {a,b}."
	default:
		return ""
	}
}

// checkNames refuses names that could mean two things.
func (s section) checkNames(t *spec.Trust) {
	for _, c := range s.children("group") {
		for _, signer := range t.Signers {
			if c.n.label == cmp.Or(signer.Login, signer.Name) {
				s.errorf(c.n.rng, "Ambiguous name", "@%s would be this group and the signer at %s. Give the group another name.", c.n.label, signer.Pos)
			}
		}
	}
}

// checkSameKeys refuses a key of two people: whose signature it makes could not be
// told.
func (s section) checkSameKeys(t *spec.Trust) {
	owners := map[string]spec.Signer{}
	for i, c := range s.children("signer") {
		for _, list := range []struct {
			name string
			keys []string
		}{{"ssh", t.Signers[i].SSH}, {"gpg", t.Signers[i].GPG}} {
			for j, key := range list.keys {
				id := keyIdentity(key)
				if id == "" {
					continue
				}
				if twin, taken := owners[id]; taken {
					s.errorf(c.itemAt(list.name, j), "Duplicate key", "The signer %q at %s has this key already, so whose signature it makes could not be told. Remove it from one of the two.", twin.Name, twin.Pos)
					continue
				}
				owners[id] = t.Signers[i]
			}
		}
	}
}

// checkEnough refuses rules that nobody could ever meet.
func (s section) checkEnough(t *spec.Trust) {
	members := map[string][]string{}
	for _, g := range t.Groups {
		members[g.Name] = g.Members
	}
	for i, c := range s.children("review") {
		var people []string
		for _, who := range t.Reviews[i].From {
			name := strings.TrimPrefix(who, "@")
			if strings.Contains(name, "/") && members[name] == nil {
				people = nil // a team of the forge, with members that it alone knows
				break
			}
			if of := members[name]; of != nil {
				people = append(people, of...)
				continue
			}
			people = append(people, name)
		}
		if n := len(distinct(people)); n > 0 && n < t.Reviews[i].Approvals {
			c.errorf(c.at("approvals"), "Too few reviewers", "The rule asks for %d approvals, and from names %s, so it could never be met. Name more people, or ask for fewer approvals.", t.Reviews[i].Approvals, peopleWords(n))
		}
	}
}

func peopleWords(n int) string {
	if n == 1 {
		return "one person"
	}
	return fmt.Sprintf("%d people", n)
}

// awayFrom is a place for a message about a value that must not be seen: a snippet
// shows whole lines. It is the header of the block, unless that is on the same line.
func (s section) awayFrom(name string) hcl.Range {
	if s.n.rng.Start.Line == s.at(name).Start.Line {
		return noRange
	}
	return s.n.rng
}
