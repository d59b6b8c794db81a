package git_test

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

// BenchmarkLatestOneChanged10k is the way from a commit that changes one of
// 10,000 files to its snapshot, in a repository on this machine.
func BenchmarkLatestOneChanged10k(b *testing.B) {
	for _, packed := range []bool{false, true} {
		b.Run(fmt.Sprintf("packed=%t", packed), func(b *testing.B) {
			r := newRepo(b)
			for i := range 10_000 {
				r.write(fmt.Sprintf("d%02d/model-%04d.hcl", i%100, i), fmt.Sprintf("model %d\n", i))
			}
			r.commit("all")
			if packed {
				r.git("gc", "-q")
			}
			source := mustNew(b, git.Options{URL: r.dir, Branch: "main"})
			mustLatest(b, source)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				r.write("d07/model-0007.hcl", fmt.Sprintf("changed %d\n", i))
				r.git("commit", "-q", "-a", "-m", "change")
				b.StartTimer()
				mustLatest(b, source)
			}
		})
	}
}

// BenchmarkFirst10k reads all 10,000 files, as a daemon does when it starts.
func BenchmarkFirst10k(b *testing.B) {
	r := newRepo(b)
	for i := range 10_000 {
		r.write(fmt.Sprintf("d%02d/model-%04d.hcl", i%100, i), fmt.Sprintf("model %d\n", i))
	}
	r.commit("all")
	r.git("gc", "-q")
	b.ReportAllocs()
	for b.Loop() {
		mustLatest(b, mustNew(b, git.Options{URL: r.dir, Branch: "main"}))
	}
}
