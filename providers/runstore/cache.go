package runstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/durable"
	"github.com/fairlead/fairlead/reconcile/run"
)

// Result implements run.Store. Whoever asks takes it: Forget counts from then on.
func (s *Store) Result(ctx context.Context, key string) (*run.Result, error) {
	path, err := s.resultFile(ctx, key)
	if err != nil {
		return nil, err
	}
	s.cache.RLock()
	defer s.cache.RUnlock()
	result, err := readResult(path, key)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return nil, fmt.Errorf("take the result %s: %w", key, err)
	}
	return result, nil
}

// Remember implements run.Store.
func (s *Store) Remember(ctx context.Context, r run.Result) error {
	path, err := s.resultFile(ctx, r.Key)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("remember the result %s: %w", r.Key, err)
	}
	s.cache.RLock()
	defer s.cache.RUnlock()
	return durable.Replace(path, writing(raw))
}

// Forget implements run.Store. What is damaged is no result, and goes when it is as
// old. So does what a crash left of a run that was being deleted.
func (s *Store) Forget(ctx context.Context, before time.Time) ([]run.Result, error) {
	for _, of := range []string{"runs", "work"} {
		if err := removeLeft(ctx, filepath.Join(s.dir, of)); err != nil {
			return nil, err
		}
	}
	s.cache.Lock()
	defer s.cache.Unlock()
	dir := filepath.Join(s.dir, "cache")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the cache of results: %w", err)
	}
	if err := durable.Sweep(dir, time.Now().Add(-time.Hour)); err != nil {
		return nil, err
	}
	var left []run.Result
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		key, ours := strings.CutSuffix(e.Name(), ".json")
		if !ours || checkName("result", key) != nil {
			continue
		}
		result, err := forgetOne(filepath.Join(dir, e.Name()), key, before)
		if err != nil {
			return nil, err
		}
		if result != nil {
			left = append(left, *result)
		}
	}
	return slices.Clip(left), nil
}

// forgetOne removes a result that is old, or returns it; nil where it is gone.
func forgetOne(path, key string, before time.Time) (*run.Result, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("read the cache of results: %w", err)
	}
	result, err := readResult(path, key)
	if err != nil && !errors.Is(err, run.ErrNoResult) {
		return nil, err // what it needs is not known, so nothing may be collected
	}
	if info.ModTime().Before(before) && (result == nil || result.At.Before(before)) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("forget the result %s: %w", key, err)
		}
		return nil, nil
	}
	return result, nil
}

func readResult(path, key string) (*run.Result, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", key, run.ErrNoResult)
	}
	if err != nil {
		return nil, fmt.Errorf("read the result %s: %w", key, err)
	}
	var r run.Result
	if err := decode(raw, &r); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged: %w", run.ErrNoResult, path, err)
	}
	if r.Key != key {
		return nil, fmt.Errorf("%w: %s is damaged: it is about another key", run.ErrNoResult, path)
	}
	return &r, nil
}

func (s *Store) resultFile(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := checkName("result", key); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, "cache", key+".json"), nil
}
