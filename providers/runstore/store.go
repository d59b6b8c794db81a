package runstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/fairlead/fairlead/reconcile/durable"
	"github.com/fairlead/fairlead/reconcile/run"
)

// Store keeps runs below one directory. One process writes to it at a time; others
// may read.
type Store struct {
	dir string

	summaries summaries
	logs      logs

	// cache keeps Forget away from results that are being taken or stored.
	cache sync.RWMutex
	// work keeps the directory of a run from going while one in it is made.
	work sync.Mutex
}

var _ run.Store = (*Store)(nil)

// New returns the store in dir, which the first write creates: looking leaves no
// trace.
func New(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir) // the engine mounts what is in it
	if err != nil {
		return nil, fmt.Errorf("the directory of runs: %w", err)
	}
	return &Store{dir: dir}, nil
}

// stored is run.json. The summary comes first, so that a list need not read on.
type stored struct {
	Summary run.Summary `json:"summary"`
	Run     *run.Run    `json:"run"`
}

// Save implements run.Store.
func (s *Store) Save(ctx context.Context, r *run.Run) error {
	path, err := s.runFile(ctx, r.ID)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(stored{r.Summary(), r})
	if err != nil {
		return fmt.Errorf("save run %s: %w", r.ID, err)
	}
	defer s.summaries.forget(r.ID)
	return durable.Replace(path, writing(raw))
}

// Load implements run.Store.
func (s *Store) Load(ctx context.Context, id string) (*run.Run, error) {
	path, err := s.runFile(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("run %s: %w", id, run.ErrNoRun)
	}
	if err != nil {
		return nil, fmt.Errorf("load run %s: %w", id, err)
	}
	var version struct {
		Run struct {
			FormatVersion int `json:"format_version"`
		} `json:"run"`
	}
	// Of a later format only the version is sure to be what it is now.
	if err := json.Unmarshal(raw, &version); err == nil && version.Run.FormatVersion > run.Format {
		return nil, fmt.Errorf("load run %s: %s has format %d, this version of fairlead reads up to format %d; use the later fairlead that wrote it", id, path, version.Run.FormatVersion, run.Format)
	}
	var file stored
	if err := decode(raw, &file); err != nil || file.Run == nil || file.Run.ID != id {
		return nil, damaged(path, err)
	}
	return file.Run, nil
}

// Delete implements run.Store. A run that is not there is no error.
func (s *Store) Delete(ctx context.Context, id string) error {
	if _, err := s.runFile(ctx, id); err != nil {
		return err
	}
	defer s.summaries.forget(id)
	return errors.Join(
		removeTree(ctx, filepath.Join(s.dir, "work"), id),
		removeTree(ctx, filepath.Join(s.dir, "runs"), id),
	)
}

// runFile is the file of a run.
func (s *Store) runFile(ctx context.Context, id string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := checkName("run", id); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, "runs", id, "run.json"), nil
}

// attemptName is what the files of an attempt are named by: NODE.ATTEMPT.
func attemptName(ctx context.Context, id, node string, attempt int) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := errors.Join(checkName("run", id), checkName("node", node)); err != nil {
		return "", err
	}
	if attempt < 0 {
		return "", fmt.Errorf("%d is no number of an attempt", attempt)
	}
	return fmt.Sprintf("%s.%d", node, attempt), nil
}

// maxName bounds a name: with all that is put around it, it must be one of a file.
const maxName = 200

// checkName refuses what could lead out of the directory, or to a file of ours.
func checkName(what, name string) error {
	valid := name != "" && len(name) <= maxName && name[0] != '.'
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			valid = false
		}
	}
	if !valid {
		return fmt.Errorf("%.80q cannot be the name of a %s; names hold letters, digits, - _ and ., do not begin with . and have at most %d bytes", name, what, maxName)
	}
	return nil
}

func writing(raw []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	}
}

// decode reads one JSON document and nothing behind it.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

// damaged says that a file does not hold what it should.
func damaged(path string, err error) error {
	if err == nil {
		err = errors.New("it is about something else")
	}
	return fmt.Errorf("%s is damaged: %w; remove %s, what was published is in Git", path, err, filepath.Dir(path))
}
