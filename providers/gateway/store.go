package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/reconcile"
)

// maxTable bounds a table on the wire and on disk: about 100,000 replicas.
const maxTable = 32 << 20

// decodeTable reads a table strictly: a field that this release does not know
// would be a wish that it cannot fulfil, so it refuses the whole table.
func decodeTable(data []byte) (reconcile.Table, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var table reconcile.Table
	if err := decoder.Decode(&table); err != nil {
		return reconcile.Table{}, fmt.Errorf("read the routing table: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return reconcile.Table{}, errors.New("read the routing table: something follows after its end")
	}
	if err := table.Validate(); err != nil {
		return reconcile.Table{}, err
	}
	return table, nil
}

// tableStore keeps the last table on disk. Without a path it keeps nothing.
type tableStore struct{ path string }

// load returns the kept table, or the zero Table if there is none. A file that
// does not read is moved aside, so that a person can look at it.
func (s tableStore) load() (reconcile.Table, error) {
	if s.path == "" {
		return reconcile.Table{}, nil
	}
	data, err := readBounded(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return reconcile.Table{}, nil
	}
	if err != nil {
		return reconcile.Table{}, err
	}
	table, err := decodeTable(data)
	if err != nil {
		aside := s.path + ".corrupt"
		return reconcile.Table{}, errors.Join(fmt.Errorf("%s (kept as %s): %w", s.path, aside, err), os.Rename(s.path, aside))
	}
	return table, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxTable))
}

// save replaces the kept table: a crash leaves the old file or the new one.
func (s tableStore) save(table reconcile.Table) (err error) {
	if s.path == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the routing table in %s: %w; it is in force, but a restart of the gateway would serve the one before", s.path, err)
		}
	}()
	data, err := json.Marshal(table)
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, ".table-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // no more there after the rename
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
