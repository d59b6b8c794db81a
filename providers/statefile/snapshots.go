package statefile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// snapshotFormat is the format_version of a snapshot file.
const snapshotFormat = 1

// snapshotHeader is the first line of a snapshot file. The contents of Files
// follow it in their order and without separators; a SHA-256 of everything
// before it ends the file.
type snapshotHeader struct {
	FormatVersion int            `json:"format_version"`
	Commit        spec.Commit    `json:"commit"`
	Notes         []string       `json:"notes,omitempty"`
	Files         []snapshotFile `json:"files"`
}

type snapshotFile struct {
	Path string `json:"path"`
	Hash string `json:"hash"`
	Size int64  `json:"size"`
}

// Snapshots keeps the last good revision in one file.
type Snapshots struct {
	path string

	mu   sync.Mutex // one Keep at a time
	kept *revision  // what the file holds, nil while that is unknown
}

// revision tells two snapshots apart without their contents.
type revision struct {
	commit string
	files  []spec.File
}

var _ reconcile.Snapshots = (*Snapshots)(nil)

// NewSnapshots returns the keeper of the file at path, whose directory the first
// Keep creates.
func NewSnapshots(path string) *Snapshots { return &Snapshots{path: path} }

// Keep implements reconcile.Snapshots.
func (s *Snapshots) Keep(ctx context.Context, snapshot reconcile.Snapshot) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	files := snapshot.Tree.Files()
	commit := snapshot.Tree.Commit()
	if s.holds(commit.ID, files) {
		return nil
	}
	err := replace(s.path, func(w io.Writer) error {
		return encodeSnapshot(w, commit, snapshot.Notes, files, snapshot.Tree.Read)
	})
	if err != nil {
		return fmt.Errorf("keep %s as the last good revision: %w", commit.Short(), err)
	}
	s.kept = &revision{commit.ID, files}
	return nil
}

// holds tells whether the file has exactly this revision already.
func (s *Snapshots) holds(commit string, files []spec.File) bool {
	if s.kept == nil || s.kept.commit != commit || !slices.Equal(s.kept.files, files) {
		return false
	}
	_, err := os.Stat(s.path)
	return err == nil
}

// LastGood implements reconcile.Snapshots.
func (s *Snapshots) LastGood(ctx context.Context) (reconcile.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return reconcile.Snapshot{}, err
	}
	raw, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return reconcile.Snapshot{}, fmt.Errorf("no good revision has been kept yet: %w", err)
	}
	if err != nil {
		return reconcile.Snapshot{}, fmt.Errorf("read the last good revision: %w", err)
	}
	snapshot, err := decodeSnapshot(raw)
	if err != nil {
		return reconcile.Snapshot{}, fmt.Errorf("read the last good revision: %s: %w; remove the file, the next good revision is kept again", s.path, err)
	}
	return snapshot, nil
}

func encodeSnapshot(w io.Writer, commit spec.Commit, notes []string, files []spec.File, read func(string) ([]byte, error)) error {
	header := snapshotHeader{
		FormatVersion: snapshotFormat,
		Commit:        commit,
		Notes:         notes,
		Files:         make([]snapshotFile, len(files)),
	}
	for i, f := range files {
		header.Files[i] = snapshotFile(f)
	}
	line, err := json.Marshal(header)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	// A bufio.Writer remembers its first error, so only Flush has to be asked.
	_, _ = out.Write(append(line, '\n'))
	for _, f := range files {
		data, err := read(f.Path)
		if err != nil {
			return err
		}
		if int64(len(data)) != f.Size {
			return fmt.Errorf("%s has %d bytes and not %d as its tree says", f.Path, len(data), f.Size)
		}
		_, _ = out.Write(data)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// decodeSnapshot reads what encodeSnapshot wrote. The contents share memory with
// raw.
func decodeSnapshot(raw []byte) (reconcile.Snapshot, error) {
	if len(raw) < sha256.Size {
		return reconcile.Snapshot{}, errors.New("the file is cut short")
	}
	body, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return reconcile.Snapshot{}, errors.New("the file is damaged: its checksum does not match")
	}
	line, contents, _ := bytes.Cut(body, []byte("\n"))
	var header snapshotHeader
	if err := json.Unmarshal(line, &header); err != nil {
		return reconcile.Snapshot{}, fmt.Errorf("the file's header does not parse: %w", err)
	}
	if header.FormatVersion != snapshotFormat {
		return reconcile.Snapshot{}, fmt.Errorf("the file has format %d, this version of fairlead reads format %d", header.FormatVersion, snapshotFormat)
	}
	files := make([]spec.Content, len(header.Files))
	for i, f := range header.Files {
		if f.Size < 0 || f.Size > int64(len(contents)) {
			return reconcile.Snapshot{}, fmt.Errorf("the file says that %s has %d bytes and holds fewer", f.Path, f.Size)
		}
		files[i] = spec.Content{File: spec.File(f), Data: contents[:f.Size:f.Size]}
		contents = contents[f.Size:]
	}
	if len(contents) > 0 {
		return reconcile.Snapshot{}, fmt.Errorf("the file holds %d bytes that belong to no file", len(contents))
	}
	return reconcile.Snapshot{Tree: spec.NewTree(header.Commit, files), Notes: header.Notes}, nil
}
