package runstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/reconcile/run"
)

// maxNamed bounds how many damaged runs an error of List names.
const maxNamed = 5

// summaries remembers those that were read, for as long as the file is the same.
type summaries struct {
	mu   sync.Mutex
	seen map[string]seen // by run
}

func (s *summaries) get(id string) (seen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, known := s.seen[id]
	return one, known
}

func (s *summaries) put(id string, one seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]seen{}
	}
	s.seen[id] = one
}

// forget makes the next list read the file, even if a file system with a coarse
// clock makes it look as before.
func (s *summaries) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, id)
}

type seen struct {
	file    fs.FileInfo
	summary run.Summary
}

// List implements run.Store.
func (s *Store) List(ctx context.Context, pipeline string) ([]run.Summary, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var list []run.Summary
	var unread []error
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !e.IsDir() || checkName("run", e.Name()) != nil {
			continue
		}
		one, err := s.summary(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // not saved yet, or being deleted
		}
		if err != nil {
			unread = append(unread, err)
			continue
		}
		if pipeline == "" || one.summary.Pipeline == pipeline {
			list = append(list, one.summary)
		}
	}
	slices.SortFunc(list, newestFirst)
	return list, tooMany(unread)
}

// newestFirst orders by time, and runs of one moment by their number.
func newestFirst(a, b run.Summary) int {
	number := func(id string) int {
		n, _ := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:]) // 0 for a foreign name
		return n
	}
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(number(b.ID), number(a.ID)), strings.Compare(a.ID, b.ID))
}

// summary reads the one of a run if its file is another than the one seen. Each
// save makes a new file, so two that are the same hold the same.
func (s *Store) summary(id string) (seen, error) {
	path := filepath.Join(s.dir, "runs", id, "run.json")
	info, err := os.Lstat(path)
	if err != nil {
		return seen{}, err
	}
	if was, known := s.summaries.get(id); known && sameFile(was.file, info) {
		return was, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return seen{}, err
	}
	defer func() { _ = f.Close() }() // read only
	if info, err = f.Stat(); err != nil {
		return seen{}, err
	}
	one := seen{file: info}
	if err := readSummary(json.NewDecoder(f), &one.summary); err != nil || one.summary.ID != id {
		return seen{}, damaged(path, err)
	}
	s.summaries.put(id, one)
	return one, nil
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// readSummary reads the first member of a file, and nothing after it.
func readSummary(d *json.Decoder, into *run.Summary) error {
	for _, want := range []json.Token{json.Delim('{'), "summary"} {
		got, err := d.Token()
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("it has %v where %v should be", got, want)
		}
	}
	return d.Decode(into)
}

// tooMany joins the first errors and counts the others.
func tooMany(unread []error) error {
	if more := len(unread) - maxNamed; more > 0 {
		unread = append(unread[:maxNamed:maxNamed], fmt.Errorf("and %d more", more))
	}
	return errors.Join(unread...)
}
