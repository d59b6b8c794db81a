package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/spec/lang"
)

// environment is another environment of the same repo, as promotions look at it.
type environment struct {
	loader  *lang.Loader
	journal *git.Journal
	// records are those of the last look, at a time.
	records map[string]journal.Record
	at      time.Time
}

// look reads the journal as it is now, unless that was done a moment ago. A copy of an older
// one is no evidence: what ran well then may have been rolled back, or the newer entries may
// be nobody's.
func (e *environment) look(ctx context.Context, interval time.Duration) error {
	if !e.at.IsZero() && time.Since(e.at) <= interval {
		return nil
	}
	e.records, e.at = nil, time.Time{}
	records, err := e.journal.Open(ctx)
	if err != nil {
		return err
	}
	if problem := e.journal.Delivery().Error; problem != "" {
		return errors.New(problem)
	}
	e.records, e.at = records, time.Now()
	return nil
}

// upstream reads how models are doing in the environments that promotions name. One that
// cannot be read is left out: nothing is promoted from where nothing is known.
func (s *Site) upstream(ctx context.Context, f *following) map[string]propose.Upstream {
	all := map[string]propose.Upstream{}
	for _, p := range f.cfg.Promotions {
		if _, read := all[p.From]; read {
			continue
		}
		up, err := s.readUpstream(ctx, p.From, f)
		if err != nil {
			s.log.Warn("look at the environment that is promoted from", "environment", p.From, "error", err)
			continue
		}
		all[p.From] = *up
	}
	return all
}

func (s *Site) readUpstream(ctx context.Context, name string, f *following) (*propose.Upstream, error) {
	at, err := s.environment(name)
	if err != nil {
		return nil, err
	}
	options := s.Config.LangOptions()
	options.Environment = name
	cfg, diags := at.loader.Load(f.tree, options)
	if err := diags.Err(); err != nil {
		return nil, fmt.Errorf("load the specs for environment %s: %w", name, err)
	}
	if err := at.look(ctx, s.Config.Interval); err != nil {
		return nil, fmt.Errorf("read the journal of environment %s: %w", name, err)
	}
	return &propose.Upstream{Config: cfg, Records: at.records}, nil
}

// environment opens what reads another environment, once. Only the proposer asks, one
// question at a time.
func (s *Site) environment(name string) (*environment, error) {
	if at := s.environments[name]; at != nil {
		return at, nil
	}
	c := s.Config
	trusted, err := readKeys(c.JournalSigners)
	if err != nil {
		return nil, err
	}
	j, err := git.NewJournal(git.JournalOptions{
		Dir: filepath.Join(c.Data, "journals", name), URL: c.Repo, Auth: c.GitAuth, Branch: journal.Branch(name), Timeout: c.GitTimeout, ReadOnly: true,
		Trusted: trusted, TrustedSince: c.JournalSignedSince[name], // what is promoted by evidence needs evidence that somebody answers for
	})
	if err != nil {
		return nil, err
	}
	at := &environment{loader: lang.NewLoader(), journal: j}
	s.environments[name] = at
	return at, nil
}

// closeEnvironments ends what reads other environments, after the proposer has.
func (s *Site) closeEnvironments() {
	for _, at := range s.environments {
		at.journal.Close()
	}
}
