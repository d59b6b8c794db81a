package trust

import (
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/spec"
)

// Rules are what a commit is judged by.
type Rules struct {
	Old  *spec.Trust // of the commit that was accepted last; nil: it has none, or there is no such commit
	Root *spec.Trust // the operator's; nil: there is none
}

// Off tells whether nothing is asked of a commit: no signature and no review.
func (r Rules) Off() bool {
	mode, err := r.Mode()
	return err == nil && mode == spec.TrustOff && !r.Reviewed()
}

// Mode is the stricter of the two modes. The error says which one is none.
func (r Rules) Mode() (spec.TrustMode, error) {
	mode := spec.TrustOff
	for _, t := range r.each() {
		if !slices.Contains(modes, t.Mode) {
			return "", fmt.Errorf("the mode %q of the trust block is not known; known are off, head and every", t.Mode)
		}
		if slices.Index(modes, t.Mode) > slices.Index(modes, mode) {
			mode = t.Mode
		}
	}
	return mode, nil
}

// modes has the strictest last.
var modes = []spec.TrustMode{spec.TrustOff, spec.TrustHead, spec.TrustEvery}

// Signers are those whose signatures count: of the repo's block where there is one,
// else the operator's.
func (r Rules) Signers() []spec.Signer {
	switch {
	case r.Old != nil:
		return r.Old.Signers
	case r.Root != nil:
		return r.Root.Signers
	}
	return nil
}

// Reviewed tells whether there is any review rule.
func (r Rules) Reviewed() bool {
	return slices.ContainsFunc(r.each(), func(t *spec.Trust) bool { return len(t.Reviews) > 0 })
}

// Owned tells whether a review rule asks for owners.
func (r Rules) Owned() bool {
	return slices.ContainsFunc(r.each(), func(t *spec.Trust) bool {
		return slices.ContainsFunc(t.Reviews, func(rule spec.ReviewRule) bool { return rule.Owners })
	})
}

func (r Rules) each() []*spec.Trust {
	return slices.DeleteFunc([]*spec.Trust{r.Root, r.Old}, func(t *spec.Trust) bool { return t == nil })
}
