package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Journal keeps decisions in memory, written and read as the real one writes and
// reads them. It has a remote of its own, which can be away.
type Journal struct {
	mu        sync.Mutex
	commits   []commit
	delivered int // how many the remote has
	err       error
	away      error
}

// commit is an entry as it is stored.
type commit struct {
	message         string
	folder, subject string // what it is about
	record          []byte // nil: the entry removes the record
}

var _ journal.Journal = (*Journal)(nil)

// NewJournal returns an empty journal.
func NewJournal() *Journal { return &Journal{} }

// Fail lets Append fail with err until Fail(nil).
func (j *Journal) Fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// Away lets the remote fail with err until Away(nil): entries queue.
func (j *Journal) Away(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.away = err
	j.deliver()
}

// deliver gives the remote what it has not got. Its caller holds the lock.
func (j *Journal) deliver() {
	if j.away == nil {
		j.delivered = len(j.commits)
	}
}

// Open implements journal.Journal.
func (j *Journal) Open(ctx context.Context) (map[string]journal.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return records(j.commits)
}

// Pipelines implements journal.Journal.
func (j *Journal) Pipelines(ctx context.Context) (map[string]journal.PipelineRecord, error) {
	return newest(ctx, j, journal.PipelineFolder, journal.DecodePipelineRecord)
}

// Repos implements journal.Journal.
func (j *Journal) Repos(ctx context.Context) (map[string]journal.RepoRecord, error) {
	return newest(ctx, j, journal.RepoFolder, journal.DecodeRepoRecord)
}

// Proposals implements journal.Journal.
func (j *Journal) Proposals(ctx context.Context) (map[string]journal.ProposalRecord, error) {
	return newest(ctx, j, journal.ProposalFolder, journal.DecodeProposalRecord)
}

func newest[R any](ctx context.Context, j *Journal, folder string, decode func(string, []byte) (R, error)) (map[string]R, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return after(j.commits, folder, decode)
}

// records is the state of the models after the commits.
func records(commits []commit) (map[string]journal.Record, error) {
	return after(commits, journal.Folder, journal.DecodeRecord)
}

// after is the state of the objects of a folder after the commits.
func after[R any](commits []commit, folder string, decode func(string, []byte) (R, error)) (map[string]R, error) {
	all := map[string]R{}
	for _, c := range commits {
		switch {
		case c.folder != folder:
			continue
		case c.record == nil:
			delete(all, c.subject)
			continue
		}
		r, err := decode(c.subject, c.record)
		if err != nil {
			return nil, err
		}
		all[c.subject] = r
	}
	return all, nil
}

// Append implements journal.Journal.
func (j *Journal) Append(ctx context.Context, e journal.Entry) error {
	message, err := journal.EncodeMessage(e)
	if err != nil {
		return err
	}
	record, err := e.EncodedRecord()
	if err != nil {
		return err
	}
	c := commit{message: message, folder: e.Folder(), subject: e.Subject(), record: record}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case j.err != nil:
		return j.err
	}
	j.commits = append(j.commits, c)
	j.deliver()
	return nil
}

// History implements journal.Journal.
func (j *Journal) History(ctx context.Context, q journal.Query) ([]journal.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var entries []journal.Entry
	for i, c := range slices.Backward(j.commits) {
		e, err := journal.ParseMessage(c.message)
		if err != nil {
			return nil, err
		}
		if !q.Picks(e) {
			continue
		}
		e.ID = fmt.Sprintf("%040x", i+1)
		if q.Records && c.record != nil {
			if err := e.DecodeInto(c.record); err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
		if len(entries) == q.Limit {
			break
		}
	}
	return entries, nil
}

// At implements journal.Journal.
func (j *Journal) At(ctx context.Context, at time.Time) (map[string]journal.Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, c := range slices.Backward(j.commits) {
		e, err := journal.ParseMessage(c.message)
		if err != nil {
			return nil, err
		}
		if !e.At.After(at) {
			return records(j.commits[:i+1])
		}
	}
	return map[string]journal.Record{}, nil
}

// Delivery implements journal.Journal.
func (j *Journal) Delivery() journal.Delivery {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := journal.Delivery{Remote: "memory", Pending: len(j.commits) - j.delivered}
	if j.away != nil {
		d.Error = j.away.Error()
	}
	return d
}
