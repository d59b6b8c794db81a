package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// readTrust reads the operator's rules; nil where there are none.
func readTrust(path string) (*spec.Trust, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the rules of --trust: %w", err)
	}
	// Refusals are read on the forge, where the directories of this host are nobody's
	// affair.
	rules, diags := lang.ParseTrust(data, filepath.Base(path))
	if err := diags.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rules, nil
}

// guardSource puts the judgement whether a commit may be followed before the Source.
// Whoever only looks sees what is there, followed or not.
func (s *Site) guardSource(store reconcile.Store) error {
	root, err := readTrust(s.Config.TrustFile)
	if err != nil || s.own == nil {
		return err
	}
	own := s.own
	s.operator = root
	s.memory = &acceptance{store: store, site: s, name: journal.RootRepo, keep: root != nil || own.forge != nil}
	own.gate = trust.New(trust.Options{
		Name: journal.RootRepo, Source: own.source, Commits: own.source, Signatures: &signature.Verifier{}, Forge: own.forge, Memory: s.memory, Root: root,
		Load: s.loadRoot, Path: s.Config.Path, Branch: s.Config.Branch, URL: redact(s.Config.Repo), Dialect: dialectOf(s.Config.Forge.Kind),
	})
	s.Source = own.gate
	return nil
}

// loadRoot reads a tree of the root by itself, without what it includes.
func (s *Site) loadRoot(_ context.Context, tree spec.Tree) (*spec.Config, error) {
	options := s.Config.LangOptions()
	options.WithoutIncludes = true
	cfg, diags := s.loader.Load(tree, options)
	return cfg, diags.Err()
}

// dialectOf is how a forge reads CODEOWNERS.
func dialectOf(kind string) trust.Dialect {
	switch kind {
	case "gitlab":
		return trust.GitLab
	case "gitea", "forgejo":
		return trust.Gitea
	default:
		return trust.GitHub
	}
}

// acceptance remembers which commit of a repo was accepted last: in the journal, and a
// copy of it in the data directory, which is there before the journal can be opened. It
// implements trust.Memory.
type acceptance struct {
	store reconcile.Store
	site  *Site
	name  string
	keep  bool // in the journal, also where no rule asks for anything

	mu     sync.Mutex
	newest *journal.RepoRecord
	read   bool // from the journal
}

func (a *acceptance) key() string { return "accepted-" + a.name }

// Accepted implements trust.Memory.
func (a *acceptance) Accepted(ctx context.Context) (journal.RepoRecord, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == nil {
		if err := a.load(ctx); err != nil {
			return journal.RepoRecord{}, false, err
		}
	}
	if !a.read {
		if err := a.ask(ctx); err != nil {
			return journal.RepoRecord{}, false, err
		}
	}
	if a.newest == nil {
		return journal.RepoRecord{}, false, nil
	}
	return *a.newest, true, nil
}

// load reads the copy.
func (a *acceptance) load(ctx context.Context) error {
	data, err := a.store.Load(ctx, a.key())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var r journal.RepoRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("the copy of what was accepted last does not parse: %w", err)
	}
	a.newest = &r
	return nil
}

// ask reads the journal, once it is open. Who has a copy need not wait for that; who has
// none must: the data directory may be new, and the repo not.
//
// Whoever can push to the repo can write to its journal, so without keys that say whose
// entries count the copy on this host is all that does: a record from elsewhere could make
// any commit the accepted one.
func (a *acceptance) ask(ctx context.Context) error {
	books := a.site.books
	if books == nil || a.site.Config.JournalSigners == "" {
		a.read = true
		return nil
	}
	if !books.isOpen() {
		if a.newest != nil {
			return nil
		}
		if err := books.await(ctx); err != nil {
			return err
		}
	}
	records, err := books.Repos(ctx)
	if err != nil {
		return err
	}
	a.read = true
	if r, known := records[a.name]; known && (a.newest == nil || r.Since.After(a.newest.Since)) {
		a.newest = &r
	}
	return nil
}

// Accept implements trust.Memory.
func (a *acceptance) Accept(ctx context.Context, r journal.RepoRecord) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keep || cmp.Or(r.Mode, string(spec.TrustOff)) != string(spec.TrustOff) || r.Rules != nil && r.Rules.Trust != nil {
		err := a.site.Journal.Append(ctx, journal.Entry{
			At: r.Since, Action: journal.ActionAccept, Repo: a.name, From: r.Before, To: r.Accepted, Commit: r.Accepted,
			Reason: r.Subject, Actor: cmp.Or(r.Author, journal.Daemon), RepoRecord: &r,
		})
		if err != nil {
			return err
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := a.store.Save(ctx, a.key(), data); err != nil {
		return err
	}
	a.newest = &r
	return nil
}

// broughtTimeout bounds a look into what this process knows already.
const broughtTimeout = time.Second

// brought names who answers for a commit that is followed, of the config repo or of one
// that it includes.
func (s *Site) brought(include, commit string) string {
	of := s.repo(include)
	if of == nil || of.gate == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), broughtTimeout)
	defer cancel()
	if who := of.gate.Brought(ctx, commit); who != "" || include == "" {
		return who
	}
	if part := of.followed(); part != nil && part.Commit().ID == commit {
		return part.Commit().Author
	}
	return ""
}

// mailbox holds the newest commit that somebody has to look after.
type mailbox struct {
	mu     sync.Mutex
	newest *spec.Commit
	ready  chan struct{} // has room for one
}

func newMailbox() mailbox { return mailbox{ready: make(chan struct{}, 1)} }

func (m *mailbox) put(c spec.Commit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newest = &c
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

func (m *mailbox) take() *spec.Commit {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.newest
	m.newest = nil
	return c
}

// orElse puts a commit back where there is no newer one, and takes what is there.
func (m *mailbox) orElse(c *spec.Commit) *spec.Commit {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.newest != nil {
		c = m.newest
	}
	m.newest = c
	return c
}

// noteTimeout bounds what is noted about a commit: the forge may be asked who brought it.
const noteTimeout = 30 * time.Second

// beginNoting writes down what is followed until the site closes, and what is left then.
func (s *Site) beginNoting() {
	if s.own == nil || s.own.gate == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.noteAccepted(ctx) })
	s.close = append(s.close, func() error {
		stop()
		wg.Wait()
		if c := s.accepting.take(); c != nil {
			last, cancel := context.WithTimeout(context.Background(), lastDelivery)
			defer cancel()
			s.note(last, *c)
		}
		return nil
	})
}

// noteAccepted writes down which commits are followed, and who brought them, until ctx
// ends. Nothing waits for it: a forge that is slow holds up no rollout. What a crash keeps
// from being noted is judged once more.
func (s *Site) noteAccepted(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.accepting.ready:
		}
		for c := s.accepting.take(); c != nil && !s.note(ctx, *c); c = s.accepting.orElse(c) {
			timer := time.NewTimer(noteRetry)
			select {
			case <-ctx.Done():
				timer.Stop()
				s.accepting.orElse(c)
				return
			case <-timer.C:
			}
		}
	}
}

// noteRetry is how long to wait where a commit could not be noted: the journal may not be
// open yet.
const noteRetry = 2 * time.Second

func (s *Site) note(ctx context.Context, c spec.Commit) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	err := errors.Join(s.own.gate.Followed(ctx, c.ID), s.followedIncludes(ctx, c))
	if err != nil && ctx.Err() == nil {
		s.log.Warn("who brought the commit is not in the journal", "commit", c.Short(), "error", err)
	}
	return err == nil
}

// books is the journal of a daemon: it tells when it is open, and people of what is
// decided.
type books struct {
	journal.Journal
	site *Site

	once   sync.Once
	opened chan struct{}
}

func newBooks(j journal.Journal, s *Site) *books {
	return &books{Journal: j, site: s, opened: make(chan struct{})}
}

// Open implements journal.Journal.
func (b *books) Open(ctx context.Context) (map[string]journal.Record, error) {
	records, err := b.Journal.Open(ctx)
	if err == nil {
		err = b.site.mayWrite(ctx, b.Journal)
	}
	if err == nil {
		b.once.Do(func() { close(b.opened) })
	}
	return records, err
}

func (b *books) isOpen() bool {
	select {
	case <-b.opened:
		return true
	default:
		return false
	}
}

// await waits until it is open.
func (b *books) await(ctx context.Context) error {
	select {
	case <-b.opened:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", journal.ErrClosed, context.Cause(ctx))
	}
}

// Append implements journal.Journal.
func (b *books) Append(ctx context.Context, e journal.Entry) error {
	if err := b.Journal.Append(ctx, e); err != nil {
		return err
	}
	b.site.told(&e)
	return nil
}
