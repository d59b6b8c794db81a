package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/fairlead/fairlead/reconcile"
)

// Open reads one file of the artifact. All of it has been compared with its digest
// before Open returns, and is compared again as it is read. A file that the artifact
// does not have is an error that wraps fs.ErrNotExist.
func (s *Store) Open(ctx context.Context, text, path string) (io.ReadCloser, error) {
	d, err := parseDigest(text)
	if err != nil {
		return nil, err
	}
	p, m, err := s.hold(ctx, d)
	if err != nil {
		return nil, err
	}
	r, err := s.openFile(ctx, m, path)
	if err != nil {
		p.release()
		return nil, fmt.Errorf("open %q of %s: %w", path, d, err)
	}
	return &opened{Reader: r, close: func() error {
		p.release()
		return r.Close()
	}}, nil
}

type opened struct {
	io.Reader
	close func() error
}

func (o *opened) Close() error { return o.close() }

func (s *Store) openFile(ctx context.Context, m *manifest, path string) (io.ReadCloser, error) {
	var found io.ReadCloser
	err := s.walk(ctx, m, func(f file) (err error) {
		if f.path != path {
			return nil
		}
		if f.body != nil {
			found, err = s.spool(ctx, f)
		} else {
			found, err = s.openVerified(ctx, f)
		}
		return err
	})
	if err != nil {
		if found != nil {
			err = errors.Join(err, found.Close())
		}
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("there is no such file: %w", fs.ErrNotExist)
	}
	return found, nil
}

// openVerified opens a blob that has been read to its end once.
func (s *Store) openVerified(ctx context.Context, f file) (io.ReadCloser, error) {
	blob, err := s.openBlob(f.blob)
	if err != nil {
		return nil, err
	}
	if err := s.verifyOpen(ctx, blob, f.blob); err != nil {
		closeQuietly(blob)
		return nil, err
	}
	if _, err := blob.Seek(0, io.SeekStart); err != nil {
		closeQuietly(blob)
		return nil, err
	}
	return &opened{Reader: newVerifying(&untilDone{ctx, blob}, f.blob), close: blob.Close}, nil
}

// spool copies a file out of its archive, which can only be verified as a whole, to a
// file without a name.
func (s *Store) spool(ctx context.Context, f file) (io.ReadCloser, error) {
	to, err := os.CreateTemp(s.work, "spool-")
	if err != nil {
		return nil, explainDisk(err)
	}
	if err := os.Remove(to.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) { // Collect may have done it
		closeQuietly(to)
		return nil, explainDisk(err)
	}
	n, err := copyBytes(ctx, to, f.body)
	if err == nil && n != f.size {
		err = fmt.Errorf("%q ends early: %w", f.path, reconcile.ErrTampered)
	}
	if err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		closeQuietly(to)
		return nil, explainDisk(err)
	}
	return to, nil
}
