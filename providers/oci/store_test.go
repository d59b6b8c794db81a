package oci_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("OCI_TEST_CHURN"); dir != "" {
		if err := churn(dir, os.Getenv("OCI_TEST_KEEP")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}

// host is a store on this machine.
type host struct{ dir string }

func newHost(t *testing.T) providertest.ArtifactsHost {
	return &host{filepath.Join(t.TempDir(), "artifacts")}
}

func (h *host) Open(t *testing.T) reconcile.Artifacts { return open(t, oci.Options{Dir: h.dir}) }

func open(t testing.TB, options oci.Options) *oci.Store {
	t.Helper()
	if options.DockerConfig == "" {
		options.DockerConfig = t.TempDir() // not the user's own
	}
	s, err := oci.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (h *host) Tamper(t *testing.T, sha256 string) {
	t.Helper()
	path := filepath.Join(h.dir, "layout/blobs/sha256", sha256)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	err = errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, data, 0o600), os.Chmod(path, info.Mode()), os.Chtimes(path, info.ModTime(), info.ModTime()))
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheStoreKeepsItsContract(t *testing.T) { providertest.ArtifactsSuite(t, newHost) }

func TestAFileThatMayNotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every file")
	}
	s := open(t, oci.Options{Dir: t.TempDir()})
	dir := providertest.Tree(t, map[string]string{"sub/model": "m"})
	if err := os.Chmod(filepath.Join(dir, "sub/model"), 0o200); err != nil {
		t.Fatal(err)
	}
	_, err := s.Put(t.Context(), dir)
	wantErr(t, err, os.ErrPermission, `"sub/model" belongs to uid`, "the mode 0200", "umask 022")
}
