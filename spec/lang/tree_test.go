package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

// tree is a config repo in memory.
type tree map[string]string

func (t tree) Commit() spec.Commit { return spec.Commit{ID: strings.Repeat("a", 40)} }

func (t tree) Files() []spec.File {
	var files []spec.File
	for path, content := range t {
		sum := sha256.Sum256([]byte(content))
		files = append(files, spec.File{Path: path, Hash: hex.EncodeToString(sum[:]), Size: int64(len(content))})
	}
	slices.SortFunc(files, func(a, b spec.File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

func (t tree) Read(path string) ([]byte, error) {
	content, found := t[path]
	if !found {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return []byte(content), nil
}

// mustLoad loads a tree that has no mistakes.
func mustLoad(t *testing.T, l *Loader, files tree, o Options) *spec.Config {
	t.Helper()
	cfg, diags := l.Load(files, o)
	if diags.HasErrors() {
		t.Fatalf("load: %s", text(t, diags, files))
	}
	return cfg
}

func text(t *testing.T, diags diag.Diagnostics, files tree) string {
	t.Helper()
	var out strings.Builder
	if err := diag.WriteText(&out, diags, Sources(files), diag.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
