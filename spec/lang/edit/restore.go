package edit

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/fairlead/fairlead/spec"
)

// Restore gives the blocks of an address the text that they had in an earlier tree: the
// one outside of overlays, and that of the environment. It returns the new content of the
// files that differ, by path. Where blocks came or went in between, stand for several
// instances, or are not written in HCL's own syntax, the error is a *ByHandError.
func Restore(now, then spec.Tree, address spec.Address, environment string) (map[string][]byte, error) {
	c := Change{Address: address, Environment: environment, Argument: "image"}
	today := &repo{tree: now, edited: map[string][]byte{}}
	to, err := pairOf(&repo{tree: then}, c)
	if err != nil {
		return nil, fmt.Errorf("find %s as it was: %w", address, err)
	}
	for i := range to {
		from, err := pairOf(today, c)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", address, err)
		}
		if err := today.restore(address, from[i], to[i]); err != nil {
			return nil, err
		}
	}
	return today.edited, nil
}

// pairOf are the blocks of an address, the one outside of overlays first; nil where there
// is none.
func pairOf(r *repo, c Change) (pair [2]*block, err error) {
	if _, err := r.find(c); err != nil { // says what cannot be
		return pair, err
	}
	all, err := r.blocks(c)
	if err != nil {
		return pair, err
	}
	pair[0] = all.base[0]
	if len(all.over) > 0 {
		pair[1] = all.over[0]
	}
	return pair, nil
}

func (r *repo) restore(address spec.Address, from, to *block) error {
	if from == nil && to == nil {
		return nil
	}
	var was, is hcl.Range
	wasThere, isThere := false, false
	if to != nil {
		was, wasThere = to.whole()
	}
	if from != nil {
		is, isThere = from.whole()
	}
	switch {
	case !wasThere && !isThere:
		return byHandAgain(address, from, "it is not written in HCL's own syntax")
	case !isThere:
		return byHandAgain(address, to, "its block for the environment is gone")
	case !wasThere:
		return byHandAgain(address, from, "it had no block for the environment")
	}
	text := to.text(was)
	if from.text(is) == text {
		return nil
	}
	r.edited[from.file] = from.syntax.tidy(from.src, from.splice(is.Start.Byte, is.End.Byte, text))
	return nil
}

// whole is all of a block, from its first word to its closing brace.
func (b *block) whole() (hcl.Range, bool) {
	n, isNative := b.syntax.(native)
	if !isNative || n.block == nil {
		return hcl.Range{}, false
	}
	return n.block.Range(), true
}

func byHandAgain(address spec.Address, at *block, why string) error {
	if at == nil {
		return errors.New(why)
	}
	return &ByHandError{Address: address, Pos: at.pos(), Remedy: "it cannot be set back by itself: " + why + "; revert the commit by hand"}
}
