package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// JournalOptions say where a journal is kept.
type JournalOptions struct {
	// Dir is the bare repository on this host, made when it is not there. It is
	// the journal's alone.
	Dir string
	// URL is where entries are delivered to: a path or file:// (written to in
	// place), http(s)://, ssh:// or USER@HOST:PATH. Empty: nowhere.
	URL  string
	Auth Auth
	// Branch holds the journal; journal.Branch names it.
	Branch string
	// ReadOnly: only Open, History and At will be called, to look at a journal
	// that somebody else keeps.
	ReadOnly bool
	// Author is who commits, and signs. Empty: Fairlead on this host.
	Author Author
	// Trusted are the public keys, as in authorized_keys, whose entries are taken from
	// the remote. Empty: all are.
	Trusted []string
	// TrustedSince is the full id of an entry up to which, itself included, none has to
	// be signed: what was decided before the journal had a key. Empty: all have to be.
	TrustedSince string
	// HeadFile is where the newest entry is written to after each one, for
	// VerifyJournal: best on another disk, or where a backup fetches it. No decision waits
	// for it. A crash, or a disk that hangs, leaves a head from before, whole: it vouches
	// for the entries up to it, and the newest ones could be cut off unseen. Empty: nowhere.
	HeadFile string
	// Found is told what the journal finds that nobody may have meant, once each; nil:
	// nobody is. A decision may wait for it, so it must not.
	Found func(Finding)
	// Timeout ends one conversation with the remote; zero: 60 s.
	Timeout time.Duration
	Limits  Limits
}

// Author is the name under which commits are made. Who decided is in the entry of
// the journal.
type Author struct {
	Name, Email string
	// Signer signs them; nil: nobody does.
	Signer Signer
}

// at is the author at a time.
func (a Author) at(when time.Time) object.Signature {
	return object.Signature{Name: a.Name, Email: a.Email, When: when.UTC()}
}

// defaultMailbox begins the address of an Author that is not configured; the host
// is behind it.
const defaultMailbox = "fairlead@"

func (a Author) withDefaults() Author {
	if a.Name == "" {
		a.Name = "Fairlead"
	}
	if a.Email == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost" // only a label
		}
		a.Email = defaultMailbox + host
	}
	// What a commit's header cannot hold.
	clean := strings.NewReplacer("<", "", ">", "")
	a.Name, a.Email = printable(clean.Replace(a.Name)), printable(clean.Replace(a.Email))
	return a
}

func (o JournalOptions) withDefaults() (JournalOptions, error) {
	if o.Dir == "" {
		return o, errors.New("the journal needs a directory for its copy on this host; set --data")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("find the directory of the journal: %w", err)
	}
	o.Dir = dir
	if err := plumbing.NewBranchReferenceName(o.Branch).Validate(); o.Branch == "" || err != nil {
		return o, fmt.Errorf("%q cannot be the name of a branch, so it cannot hold the journal", o.Branch)
	}
	if o.TrustedSince != "" && !fullID.MatchString(o.TrustedSince) {
		return o, fmt.Errorf("%q is not a full commit id, so no entry of the journal is trusted since then", o.TrustedSince)
	}
	o.Author = o.Author.withDefaults()
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	o.Limits = o.Limits.withDefaults()
	return o, nil
}

// Journal keeps decisions on a branch: in a repository of its own, and from there
// delivered to the remote. It implements journal.Journal.
//
// An entry is durable once it is in the local repository. Run delivers; nothing
// waits for it.
type Journal struct {
	options  JournalOptions
	upstream upstream // nil: there is none
	store    *store
	trust    *journalTrust // nil: every entry counts

	// turn holds one token. Whoever has it may move the journal's newest commit,
	// and owns what follows.
	turn  chan struct{}
	at    *position       // nil: not open
	queue []plumbing.Hash // commits that the remote has not got, oldest first
	known *plumbing.Hash  // what the remote has; nil: it has to be asked
	small int             // packs since the last join began
	count counted

	joining background // joins packs; no decision waits for it
	head    *headFile  // nil: there is none; no decision waits for it

	delivering chan struct{} // holds one token: one conversation at a time
	wake       chan struct{}

	tip atomic.Pointer[string] // see Tip

	mu       sync.Mutex
	delivery journal.Delivery
	told     map[FindingKind]string // key of what was found last; "": that is over
}

var _ journal.Journal = (*Journal)(nil)

// NewJournal returns the journal that the options describe. It touches neither
// disk nor network.
func NewJournal(o JournalOptions) (*Journal, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &Journal{
		options:    o,
		trust:      newJournalTrust(o.Trusted, o.TrustedSince),
		store:      &store{dir: o.Dir, branch: plumbing.NewBranchReferenceName(o.Branch), limits: o.Limits, fan: defaultFan},
		turn:       make(chan struct{}, 1),
		delivering: make(chan struct{}, 1),
		told:       map[FindingKind]string{},
		wake:       make(chan struct{}, 1),
	}
	if o.HeadFile != "" && !o.ReadOnly {
		j.head = &headFile{path: o.HeadFile, patience: headPatience, replace: writeHead, tell: j.headKept}
	}
	j.turn <- struct{}{}
	j.delivering <- struct{}{}
	if o.URL == "" {
		return j, nil
	}
	at, err := parseLocation(o.URL)
	if err != nil {
		return nil, err
	}
	if !at.local() {
		if err := o.Auth.check(at); err != nil {
			return nil, err
		}
	}
	words := delivering
	if o.ReadOnly {
		words = lookingAt
	}
	j.upstream = newUpstream(link{location: at, auth: o.Auth, limits: o.Limits, timeout: o.Timeout, words: words, pace: new(pace)}, j.store.branch)
	j.delivery.Remote = at.String()
	return j, nil
}

var delivering = words{
	local: "deliver the journal to", remote: "deliver the journal to", need: "write to", what: "the entries",
	meanwhile: "entries are kept here until it takes them", again: "it is tried again",
}

var lookingAt = words{
	local: "read the journal of", remote: "fetch the journal of", need: "read",
	meanwhile: "nothing was changed", again: "try again",
}

// take waits for a token.
func take(ctx context.Context, token chan struct{}) (giveBack func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-token:
		return func() { token <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Append implements journal.Journal.
func (j *Journal) Append(ctx context.Context, e journal.Entry) error {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return fmt.Errorf("write a decision about %s into the journal: %w", e.Subject(), err)
	}
	defer giveBack()
	if j.at == nil || j.options.ReadOnly {
		return errors.New("the journal is not open for decisions")
	}
	next, objects, err := j.at.next(e, j.options.Author, j.options.Branch)
	if err != nil {
		return fmt.Errorf("write a decision about %s into the journal: %w", e.Subject(), err)
	}
	if err := j.advance(ctx, next, objects); err != nil {
		if errors.Is(err, errMoved) {
			err = fmt.Errorf("%w: %w", journal.ErrDiverged, err)
			j.found(Finding{Kind: FoundLost, Key: j.at.commit.String(), Text: err.Error()})
		}
		return fmt.Errorf("write a decision about %s into the journal: %w", e.Subject(), err)
	}
	if j.upstream != nil {
		j.queue = append(j.queue, next.commit)
	}
	j.shown()
	j.publishHead(ctx)
	j.tidy()
	j.Hint()
	return nil
}

// advance makes a position durable: its objects first, then the ref.
func (j *Journal) advance(ctx context.Context, next position, objects []plumbing.EncodedObject) error {
	if err := j.store.add(ctx, objects); err != nil {
		return err
	}
	if err := j.store.setRef(j.store.branch, j.at.commit, next.commit); err != nil {
		return err
	}
	if j.count.commit == j.at.commit { // else it is counted on from there, once somebody asks
		j.count = counted{next.commit, j.count.entries + 1}
	}
	j.at = &next
	j.small++
	return nil
}

// tidy has packs joined when there may be enough of them: beside the decisions, as it
// takes longer than one may. What fails is only noted, and tried again after as many more.
// The caller has the turn.
func (j *Journal) tidy() {
	if j.small < j.store.fan {
		return
	}
	begun := j.joining.begin(func(ctx context.Context) {
		if err := recovering(func() error { return j.store.tidy(ctx) }); err != nil && ctx.Err() == nil {
			j.note(fmt.Sprintf("the journal in %s grows: %s", j.options.Dir, err))
		}
	})
	switch {
	case begun:
		j.small = 0
	case j.small > maxUnjoined*j.store.fan:
		j.joining.wait() // decisions come faster than packs are joined
	}
}

// maxUnjoined bounds the packs that nobody joins, in multiples of how many are joined.
const maxUnjoined = 16

// Close ends what the journal does beside its callers, and waits for that: for the head
// file a few seconds at the most. Every decision is durable without it. A journal that is
// closed still takes decisions, and leaves their packs for the next one to join, and their
// head for it to write.
func (j *Journal) Close() {
	j.joining.close()
	if j.head != nil {
		j.head.close()
	}
}

// Hint has Run deliver now, and not only when its pause after a failure is over:
// somebody has seen the remote again.
func (j *Journal) Hint() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// History implements journal.Journal.
func (j *Journal) History(ctx context.Context, q journal.Query) ([]journal.Entry, error) {
	var entries []journal.Entry
	err := j.reading(ctx, func(repo *repository, head plumbing.Hash) error {
		entries = nil
		return walkBack(ctx, repo, head, func(c *object.Commit) (bool, error) {
			e, err := journal.ParseMessage(c.Message)
			if err != nil {
				j.note(fmt.Sprintf("commit %s of the journal is no decision: %s; %s made it", shortHash(c.Hash), err, printable(c.Author.Name)))
				return false, nil
			}
			if q.Picks(e) {
				e.ID = c.Hash.String()
				if q.Records {
					if err := readRecord(repo, c, &e); err != nil {
						return false, err
					}
				}
				entries = append(entries, e)
			}
			// No commit before this one has a later committer's time.
			past := !q.Since.IsZero() && c.Committer.When.Before(q.Since.Truncate(time.Second))
			return past || q.Limit > 0 && len(entries) == q.Limit, nil
		})
	})
	return entries, err
}

// At implements journal.Journal.
func (j *Journal) At(ctx context.Context, at time.Time) (map[string]journal.Record, error) {
	records := map[string]journal.Record{}
	err := j.reading(ctx, func(repo *repository, head plumbing.Hash) error {
		var found plumbing.Hash
		err := walkBack(ctx, repo, head, func(c *object.Commit) (bool, error) {
			e, err := journal.ParseMessage(c.Message)
			if err != nil || e.At.After(at) {
				return false, nil
			}
			found = c.Hash
			return true, nil
		})
		if err != nil {
			return err
		}
		there, err := positionAt(repo, found)
		if err == nil {
			records, err = there.records(repo)
		}
		return err
	})
	return records, err
}

// Pipelines implements journal.Journal.
func (j *Journal) Pipelines(ctx context.Context) (map[string]journal.PipelineRecord, error) {
	return recordsIn(ctx, j, journal.PipelineFolder, journal.DecodePipelineRecord)
}

// Repos implements journal.Journal.
func (j *Journal) Repos(ctx context.Context) (map[string]journal.RepoRecord, error) {
	return recordsIn(ctx, j, journal.RepoFolder, journal.DecodeRepoRecord)
}

// Proposals implements journal.Journal.
func (j *Journal) Proposals(ctx context.Context) (map[string]journal.ProposalRecord, error) {
	return recordsIn(ctx, j, journal.ProposalFolder, journal.DecodeProposalRecord)
}

// recordsIn reads the newest records of a folder.
func recordsIn[R any](ctx context.Context, j *Journal, folder string, decode func(string, []byte) (R, error)) (records map[string]R, err error) {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	at := j.at
	giveBack()
	if at == nil {
		return nil, fmt.Errorf("read the records of %s: %w", folder, journal.ErrClosed)
	}
	records = map[string]R{}
	err = j.reading(ctx, func(repo *repository, _ plumbing.Hash) (err error) {
		records, err = readRecords(repo, *at, folder, decode)
		return err
	})
	return records, err
}

// reading calls read with the store and its newest commit.
func (j *Journal) reading(ctx context.Context, read func(*repository, plumbing.Hash) error) error {
	once := func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return j.store.view(func(repo *clone) error {
			head, err := refOf(&repo.repository, j.store.branch)
			if err != nil || head.IsZero() {
				return err
			}
			return read(&repo.repository, head)
		})
	}
	err := steady(j.store.dir, once)
	switch {
	case errors.Is(err, errNoStore):
		return err
	case errors.Is(err, errUnreadable):
		return j.explainDamage(err)
	case err != nil:
		return fmt.Errorf("read the journal: %w", err)
	}
	return nil
}

// Dir is the repository on this host.
func (j *Journal) Dir() string { return j.options.Dir }

// Delivery implements journal.Journal.
func (j *Journal) Delivery() journal.Delivery {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.delivery
	d.Notes = slices.Clone(d.Notes)
	return d
}

// shown brings Tip and Delivery up to date. Its caller has the turn.
func (j *Journal) shown() {
	tip := ""
	if j.at != nil && !j.at.commit.IsZero() {
		tip = j.at.commit.String()
	}
	j.tip.Store(&tip)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.delivery.Pending = len(j.queue)
}

// note keeps a text for Delivery, once, and the newest few.
func (j *Journal) note(text string) {
	const keep = 10
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.delivery.Notes, text) {
		return
	}
	j.delivery.Notes = append(j.delivery.Notes, text)
	if extra := len(j.delivery.Notes) - keep; extra > 0 {
		j.delivery.Notes = slices.Delete(j.delivery.Notes, 0, extra)
	}
}
