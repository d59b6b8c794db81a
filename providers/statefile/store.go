package statefile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/durable"
)

// maxValue bounds one value. The store is for small documents; something larger
// is a mistake of the caller.
const maxValue = 4 << 20

// Store keeps each value in a file of its own, KEY.json, below one directory.
type Store struct{ dir string }

var _ reconcile.Store = (*Store)(nil)

// NewStore returns the store in dir, which the first Save creates: looking leaves
// no trace.
func NewStore(dir string) *Store { return &Store{dir: dir} }

// Load implements reconcile.Store.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no value is stored for %s: %w", key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", key, err)
	}
	defer func() { _ = f.Close() }() // read only
	value, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err != nil {
		return nil, fmt.Errorf("load %s: read %s: %w", key, path, err)
	}
	if len(value) > maxValue || !json.Valid(value) {
		return nil, fmt.Errorf("load %s: %s is damaged, it holds no JSON document; remove the file, Fairlead finds out again what it held", key, path)
	}
	return value, nil
}

// Save implements reconcile.Store.
func (s *Store) Save(ctx context.Context, key string, value []byte) error {
	path, err := s.path(ctx, key)
	if err != nil {
		return err
	}
	if len(value) > maxValue {
		return fmt.Errorf("save %s: %d bytes are more than the %d that a value may have", key, len(value), maxValue)
	}
	if !json.Valid(value) {
		return fmt.Errorf("save %s: the value is no JSON document", key)
	}
	return replace(path, func(w io.Writer) error {
		_, err := w.Write(value)
		return err
	})
}

// replace writes a file durably, and removes what a crash left beside it.
func replace(path string, write func(io.Writer) error) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return durable.Replace(path, write)
}

// makeDir creates the directory, and removes what a crash left in it.
func makeDir(dir string) error {
	if err := durable.MakeDir(dir); err != nil {
		return err
	}
	return durable.Sweep(dir, time.Now().Add(-time.Hour))
}

// path returns the file of a key. A key cannot leave the directory: it holds no
// separator and does not begin with a dot.
func (s *Store) path(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !validKey(key) {
		return "", fmt.Errorf("%q cannot be a key of the store; keys hold letters, digits, - _ and ., do not begin with . and have at most 128 bytes", key)
	}
	return filepath.Join(s.dir, key+".json"), nil
}

func validKey(key string) bool {
	if key == "" || len(key) > 128 || key[0] == '.' {
		return false
	}
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
