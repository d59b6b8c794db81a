package app

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// Chain tells whether the journal that was read is what its daemon wrote.
type Chain struct {
	// Checked: keys were named, and every entry was looked at.
	Checked bool `json:"checked"`
	// Sound: nothing is wrong with any; false where nothing was checked.
	Sound    bool `json:"sound"`
	Entries  int  `json:"entries,omitempty"`
	Unsigned int  `json:"unsigned,omitempty"` // from before keys were asked for
	Problems int  `json:"problems,omitempty"`
	// First is the problem of the oldest entry that has one, for people.
	First string `json:"first_problem,omitempty"`
}

// Broken tells whether it was checked and is not sound.
func (c *Chain) Broken() bool { return c != nil && c.Checked && !c.Sound }

// CheckChain verifies all of a journal that is read here by the keys of JournalSigners. A
// part would not do: what serves follows from every entry before it. The error says why it
// could not be looked at.
func CheckChain(ctx context.Context, c Config, j journal.Journal) (*Chain, error) {
	keys, err := readKeys(c.JournalSigners)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return &Chain{}, nil
	}
	kept, ok := j.(*git.Journal)
	if !ok {
		return nil, errors.New("this journal is not kept in Git, so nobody signs it")
	}
	newest, err := kept.History(ctx, journal.Query{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) == 0 {
		return &Chain{Checked: true, Sound: true}, nil
	}
	report, err := git.VerifyJournal(ctx, git.AuditOptions{
		Dir: kept.Dir(), Branch: journal.Branch(c.Environment), Trusted: keys, TrustedSince: c.JournalSignedSince[c.Environment],
	})
	if err != nil {
		return nil, err
	}
	chain := &Chain{Checked: true, Sound: report.OK(), Entries: report.Head.Entries, Unsigned: report.Unsigned, Problems: len(report.Problems) + report.More}
	if !chain.Sound {
		chain.First = report.Problems[0].String()
	}
	return chain, nil
}
