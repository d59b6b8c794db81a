package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// lastDelivery bounds how long an end waits for the remote to get the entries
// that it lacks. What it has not got then, the next start delivers.
const lastDelivery = 5 * time.Second

// openJournal makes the journal of the environment and keeps delivering it: to
// the config repo, where there is one. A plain directory, and a worktree with
// whatever is not committed, have no place for it but --data.
func (s *Site) openJournal(log *slog.Logger) error {
	c := s.Config
	remote := c.Repo
	if s.Snapshots == nil || isPlainDirectory(c) {
		remote = ""
	}
	trusted, err := readKeys(c.JournalSigners)
	if err != nil {
		return err
	}
	if s.signer != nil && len(trusted) > 0 && !slices.ContainsFunc(trusted, s.isOwn) {
		return fmt.Errorf("the key of --journal-key is not in %s: after a loss of --data this daemon would refuse its own journal; add the line %q to it", c.JournalSigners, s.signer.PublicKey())
	}
	j, err := git.NewJournal(git.JournalOptions{
		Dir: filepath.Join(c.Data, "journal"), URL: remote, Auth: c.GitAuth, Branch: journal.Branch(c.Environment), Timeout: c.GitTimeout,
		Author: s.author(), Trusted: trusted, TrustedSince: c.JournalSignedSince[c.Environment], HeadFile: c.JournalHead,
		Found: s.found,
	})
	if err != nil {
		return err
	}
	s.gitJournal, s.deliver = j, j.Hint
	s.books = newBooks(j, s)
	s.Journal = s.books
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { j.Run(running) })
	s.close = append(s.close, func() error {
		defer j.Close()
		defer s.closeEnvironments()
		defer wg.Wait()
		defer stop()
		if j.Delivery().Pending == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), lastDelivery)
		defer cancel()
		if err := j.Deliver(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			log.Warn("the journal's remote lacks entries; the next start delivers them", "pending", j.Delivery().Pending, "error", err)
		}
		return nil
	})
	return nil
}

// openSigner reads the key that the journal, and proposals, are signed with.
func (s *Site) openSigner() (err error) {
	if c := s.Config; c.JournalKey != "" {
		s.signer, err = signature.NewSigner(c.JournalKey, c.JournalKeyPassphrase)
	}
	return err
}

// isOwn tells whether a line of authorized_keys is the key that this daemon signs with.
func (s *Site) isOwn(line string) bool {
	own, theirs := strings.Fields(s.signer.PublicKey()), strings.Fields(line)
	return len(own) > 1 && len(theirs) > 1 && own[1] == theirs[1]
}

// author is who commits for Fairlead.
func (s *Site) author() git.Author {
	if s.signer == nil {
		return git.Author{}
	}
	return git.Author{Signer: s.signer}
}

// readKeys reads public keys, one on each line as in authorized_keys. A file of allowed
// signers of ssh-keygen is read, too: what is before the key is left out.
func readKeys(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the keys that sign the journal: %w", err)
	}
	var keys []string
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := keyBegin.FindStringIndex(line)
		if i == nil { // it may be a private one, so it is not quoted
			return nil, fmt.Errorf("%s:%d is no public SSH key; write it as authorized_keys has it, ssh-ed25519 and a long word", path, number)
		}
		keys = append(keys, strings.TrimSpace(line[i[0]:]))
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key", path)
	}
	return keys, nil
}

// keyBegin is where the key begins on a line.
var keyBegin = regexp.MustCompile(`(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ AAAA`)

// journalHead is the newest commit of the journal, for who keeps it out of reach.
func (s *Site) journalHead() string {
	if s.gitJournal == nil {
		return ""
	}
	return s.gitJournal.Tip()
}

// mayWrite refuses to decide without the key where the journal is signed: as by a command
// by hand that was given none. What it wrote would count for nobody who knows the keys.
func (s *Site) mayWrite(ctx context.Context, j journal.Journal) error {
	own, is := j.(*git.Journal)
	if !is || s.signer != nil {
		return nil
	}
	sealed, err := own.Sealed(ctx)
	if err == nil && sealed {
		err = errors.New("the journal is signed, and without the key what is decided now would make it look tampered with; give the key that the daemon has: --journal-key FILE")
	}
	return err
}

// ownJournal is the journal to write to by hand: the one that is open, or the one that a
// daemon has left. The error wraps fs.ErrNotExist if there is none.
func (s *Site) ownJournal() (journal.Journal, error) {
	if s.Journal != nil {
		return s.Journal, nil
	}
	if err := s.openSigner(); err != nil {
		return nil, err
	}
	left, err := leftJournal(s.Config, git.JournalOptions{Author: s.author()})
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { left.Close(); return nil })
	return left, nil
}

// remembered is what is to be forgotten: the journal, and whom it has. The zero one is
// nothing.
type remembered struct {
	journal journal.Journal
	records map[string]journal.Record
	err     error // it cannot be read
}

// recall reads what a journal has to forget. The error says that it must not be written
// to; that it cannot be read is noted, and keeps nothing from being taken down.
func (s *Site) recall(ctx context.Context) (remembered, error) {
	j, err := s.ownJournal()
	if errors.Is(err, fs.ErrNotExist) {
		return remembered{}, nil
	}
	if err != nil {
		return remembered{}, err
	}
	records, err := j.Open(ctx)
	if err != nil {
		return remembered{err: err}, nil //nolint:nilerr // it is told in the end
	}
	return remembered{journal: j, records: records}, s.mayWrite(ctx, j)
}

// forget removes the records of all models from the journal, after nothing of
// them is left: who applies the same specs again begins with first deployments.
// The next daemon delivers it. Without a journal there is nothing to forget.
func (r *remembered) forget(ctx context.Context, actor string) error {
	if r.err != nil {
		return fmt.Errorf("everything is taken down, but the journal still has the models: %w", r.err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.records)) {
		e := journal.Entry{
			At: time.Now(), Action: journal.ActionRemove, Model: name, Actor: cmp.Or(actor, journal.Daemon),
			Reason: "the environment was taken down",
		}
		if stable := r.records[name].Stable; stable != nil {
			e.From = stable.Revision
		}
		if err := r.journal.Append(ctx, e); err != nil {
			return fmt.Errorf("everything is taken down, but the journal still has model %s: %w", name, err)
		}
	}
	return nil
}
