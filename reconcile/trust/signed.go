package trust

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// signatures refuses what is not signed as the mode asks.
func (j *judge) signatures(mode spec.TrustMode) {
	switch mode {
	case spec.TrustOff:
	case spec.TrustHead:
		for i := range j.Range.Commits { // parents first, so that no judgement is deep
			j.commit(j.Range.Commits[i].ID)
		}
		if f := j.commit(j.Range.To); f != nil && !j.tagged(f) {
			j.refuse(*f)
		}
	default:
		for i := range j.Range.Commits {
			if f := j.commit(j.Range.Commits[i].ID); f != nil {
				j.refuse(j.sealing(*f))
			}
		}
	}
}

// sealing adds to the advice, where nothing was accepted yet, how old history is
// left out.
func (j *judge) sealing(f finding) finding {
	if j.Range.From == "" {
		f.remedy += "; history up to the commit itself is taken as it is with since = \"" + j.Range.To + "\" in the operator's trust file"
	}
	return f
}

// commit says what is wrong with the signature of a commit; nil: it is good, or not
// to be judged, because it was accepted before.
func (j *judge) commit(id string) *finding {
	c := j.line.by[id]
	if c == nil {
		return nil
	}
	if f, known := j.good[id]; known {
		return f
	}
	// A commit cannot be its own ancestor. Should somebody say so, it is not good.
	j.good[id] = &finding{rule: "trust.history", commit: id, reason: "its history leads back to itself", remedy: "fetch the repository again"}
	f := j.signed("commit "+short(id), id, c.When)
	if f == nil {
		f = j.inRole(c)
	}
	if f != nil {
		f.commit = id
	}
	j.good[id] = f
	return f
}

// signed judges a signature apart from what its signer may sign.
func (j *judge) signed(what, id string, when time.Time) *finding {
	check := j.Checks[id]
	switch by := check.By; by.State {
	case reconcile.SignatureGood:
	case reconcile.SignatureNone:
		return &finding{rule: "trust.signed", reason: what + " is not signed", remedy: "sign that very commit (git commit --amend -S, or a rebase) and push the branch anew"}
	case reconcile.SignatureUnknown:
		return &finding{
			rule:   "trust.signed",
			reason: fmt.Sprintf("%s is signed with the key %s, which is nobody's", what, cmp.Or(by.Key, "(not known)")),
			remedy: "have the signer added to the trust block by a commit that a known signer signs, and sign again after it",
		}
	default:
		return &finding{
			rule:   "trust.signed",
			reason: fmt.Sprintf("the signature of %s is not good: %s", what, cmp.Or(by.Reason, "it could not be checked")),
			remedy: "sign it again and push it again",
		}
	}
	signer, err := named(j.Rules.Signers(), check.By.Signer)
	if err != nil {
		return &finding{rule: "trust.signed", reason: fmt.Sprintf("%s: %v", what, err), remedy: "correct the trust block"}
	}
	if f := j.inTime(what, signer, check.By, when, check.Seen); f != nil {
		return f
	}
	limit, err := j.limit(check)
	if err != nil {
		return &finding{rule: "trust.signed", reason: fmt.Sprintf("%s: %v", what, err), remedy: "correct the operator's trust file"}
	}
	if limit != nil {
		return j.inTime(what, *limit, check.Root, when, check.Seen)
	}
	return nil
}

// limit is what the operator's file says of the key, if it knows it.
func (j *judge) limit(check Check) (*spec.Signer, error) {
	if j.Rules.Root == nil || check.Root.State != reconcile.SignatureGood {
		return nil, nil
	}
	signer, err := named(j.Rules.Root.Signers, check.Root.Signer)
	return &signer, err
}

// named finds the one signer of that name.
func named(signers []spec.Signer, name string) (spec.Signer, error) {
	var found []spec.Signer
	for i := range signers {
		if signers[i].Name == name {
			found = append(found, signers[i])
		}
	}
	if len(found) != 1 {
		return spec.Signer{}, fmt.Errorf("%d signers are named %q", len(found), name)
	}
	return found[0], nil
}

// inTime judges when a signature was made. Its time is the word of the committer,
// which a thief of the key can choose: so a revocation also counts from when the
// commit was first seen, and nothing is good before its signer is.
func (j *judge) inTime(what string, s spec.Signer, check reconcile.SignatureCheck, when, seen time.Time) *finding {
	if seen.IsZero() {
		seen = j.Now
	}
	invalid := func(rule, format string, args ...any) *finding {
		return &finding{
			rule: rule, pos: s.Pos, reason: what + fmt.Sprintf(format, args...),
			remedy: "have it signed again by somebody whose key is valid",
		}
	}
	const day = time.DateOnly
	switch {
	case check.Revoked:
		return invalid("trust.revoked", " is signed by %s with a key that is revoked", s.Name)
	case !s.Revoked.IsZero() && !when.Before(s.Revoked):
		return invalid("trust.revoked", " is signed by %s, whose key is revoked since %s", s.Name, s.Revoked.Format(day))
	case !s.Revoked.IsZero() && !seen.Before(s.Revoked):
		return invalid("trust.revoked", " is signed by %s, whose key is revoked since %s; it was first seen later", s.Name, s.Revoked.Format(day))
	case !check.Expired.IsZero() && !when.Before(check.Expired):
		return invalid("trust.valid", " is signed by %s with a key that expired on %s", s.Name, check.Expired.Format(day))
	case !s.ValidUntil.IsZero() && !when.Before(s.ValidUntil):
		return invalid("trust.valid", " is signed by %s, who was valid until %s", s.Name, s.ValidUntil.Format(day))
	case !s.ValidFrom.IsZero() && (when.Before(s.ValidFrom) || j.Now.Before(s.ValidFrom)):
		return invalid("trust.valid", " is signed by %s, who is valid from %s", s.Name, s.ValidFrom.Format(day))
	}
	return nil
}

// inRole judges whether its signer may sign this commit. The signature is good.
func (j *judge) inRole(c *reconcile.RawCommit) *finding {
	check := j.Checks[c.ID]
	signer, err := named(j.Rules.Signers(), check.By.Signer)
	if err != nil {
		return &finding{rule: "trust.signed", reason: err.Error(), remedy: "correct the trust block"}
	}
	if f := j.asRole(c, signer); f != nil {
		return f
	}
	if limit, _ := j.limit(check); limit != nil {
		return j.asRole(c, *limit)
	}
	return nil
}

func (j *judge) asRole(c *reconcile.RawCommit, s spec.Signer) *finding {
	wrong := func(remedy, format string, args ...any) *finding {
		return &finding{rule: "trust.role", pos: s.Pos, reason: fmt.Sprintf(format, args...), remedy: remedy}
	}
	switch s.Role {
	case spec.SignerPerson:
		return nil
	case spec.SignerBot:
		if j.line.on[c.ID] {
			return wrong("have a person or the forge merge it (git merge --no-ff)",
				"commit %s is signed by the bot %s, and stands on the branch itself", short(c.ID), s.Name)
		}
		return nil
	case spec.SignerForge:
		return j.merged(c, s, wrong)
	default:
		return wrong("correct the trust block, or upgrade fairlead", "the role %q of %s is not known", s.Role, s.Name)
	}
}

// merged judges what the key of a forge signed: a merge that adds nothing.
func (j *judge) merged(c *reconcile.RawCommit, s spec.Signer, wrong func(remedy, format string, args ...any) *finding) *finding {
	switch {
	case len(c.Parents) < 2:
		return wrong("merge by a merge commit, or sign it yourself: a squash or a rebase by the forge loses the signatures of people",
			"commit %s is signed by the forge %s, and is no merge", short(c.ID), s.Name)
	case !c.Clean:
		return wrong("bring the branch up to date with its base, and merge then",
			"the merge %s, signed by the forge %s, is not known to hold only what its parents hold", short(c.ID), s.Name)
	}
	for _, parent := range c.Parents {
		if f := j.commit(parent); f != nil {
			return wrong(f.remedy, "the merge %s, signed by the forge %s, brings what is not good by itself: %s", short(c.ID), s.Name, f.reason)
		}
	}
	return nil
}

// tagged tells whether a tag on the head is good in place of the commit. If none is,
// the finding tells of them as well.
func (j *judge) tagged(f *finding) bool {
	for i := range j.Range.Tags {
		tag := &j.Range.Tags[i]
		wrong := j.tag(tag)
		if wrong == nil {
			return true
		}
		f.reason += "; the tag " + tag.Name + " does not help: " + wrong.reason
	}
	return false
}

func (j *judge) tag(tag *reconcile.RawTag) *finding {
	what := "tag " + tag.Name
	target, when, err := readTag(tag.Raw)
	if err != nil {
		return &finding{reason: what + ": " + err.Error()}
	}
	if target != j.Range.To {
		return &finding{reason: what + " is on another commit"}
	}
	if f := j.signed(what, tag.ID, when); f != nil {
		return f
	}
	check := j.Checks[tag.ID]
	signer, err := named(j.Rules.Signers(), check.By.Signer)
	if err != nil {
		return &finding{reason: err.Error()}
	}
	limit, _ := j.limit(check)
	if signer.Role != spec.SignerPerson || limit != nil && limit.Role != spec.SignerPerson {
		return &finding{reason: what + " is signed by " + signer.Name + ", who is no person"}
	}
	return nil
}

// readTag reads which commit a raw tag is on, and when it was made.
func readTag(raw []byte) (target string, when time.Time, err error) {
	header, _, ended := bytes.Cut(raw, []byte("\n\n"))
	lines := strings.Split(string(header), "\n")
	if !ended || len(lines) != 4 {
		return "", when, fmt.Errorf("it does not read as a tag")
	}
	target, isObject := strings.CutPrefix(lines[0], "object ")
	tagger, isTagger := strings.CutPrefix(lines[3], "tagger ")
	if !isObject || lines[1] != "type commit" || !strings.HasPrefix(lines[2], "tag ") || !isTagger {
		return "", when, fmt.Errorf("it does not read as a tag of a commit")
	}
	fields := strings.Fields(tagger[strings.LastIndex(tagger, ">")+1:])
	if len(fields) != 2 {
		return "", when, fmt.Errorf("it does not say when it was made")
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return "", when, fmt.Errorf("it does not say when it was made")
	}
	return target, time.Unix(seconds, 0), nil
}
