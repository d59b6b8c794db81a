package git

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// A repository may go away between two writes to it. Then nothing is made at its
// path, where it may come back.
func TestNothingIsMadeWhereARepositoryWas(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "config", ".git")
	o, err := encoded(plumbing.BlobObject, []byte("an entry"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeLoose(gone, o); err == nil {
		t.Error("an object was written into a repository that is not there")
	}
	u := localUpstream{branch: plumbing.NewBranchReferenceName("fairlead/journal/default")}
	if err := u.move(&repository{common: gone}, plumbing.ZeroHash, o.Hash()); err == nil {
		t.Error("a ref was moved in a repository that is not there")
	}
	if _, err := os.Stat(filepath.Dir(gone)); err == nil {
		t.Error("a part of it was made")
	}
}
