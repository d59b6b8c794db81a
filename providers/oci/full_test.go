package oci_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/providertest"
)

// TestAFullDisk stores more than there is room for: the call fails and says so, what
// was there before is intact, and there is room again.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := open(t, oci.Options{Dir: dir})
	before, err := s.Put(t.Context(), providertest.Tree(t, map[string]string{"small*": "fits"}))
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	_, err = s.PutFile(t.Context(), "big", bytes.NewReader(noise))
	wantErr(t, err, syscall.ENOSPC, "free space on the disk of the artifact store")
	half, err := s.PutFile(t.Context(), "half", bytes.NewReader(noise[:600<<10]))
	if err != nil {
		t.Fatalf("there is no room after a failure: %v", err)
	}
	_, err = s.Put(t.Context(), providertest.Tree(t, map[string]string{"half*": string(noise[:600<<10])}))
	wantErr(t, err, syscall.ENOSPC)
	if _, err := s.Checkout(t.Context(), before.Digest); err != nil {
		t.Error(err)
	}
	if freed, err := s.Collect(t.Context(), map[string]bool{before.Digest: true}, time.Now().Add(time.Hour)); err != nil || freed < 600<<10 {
		t.Errorf("freed %d, %v", freed, err)
	}
	if _, err := s.Lookup(t.Context(), half.Digest); err == nil || !strings.Contains(err.Error(), half.Digest) {
		t.Errorf("got %v", err)
	}
}
