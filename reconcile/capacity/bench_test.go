package capacity_test

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/reconcile/capacity"
)

// BenchmarkCheck10k is the check of 10,000 models that run, of which one changes:
// on a host with room for all, and on one that is full.
func BenchmarkCheck10k(b *testing.B) {
	for name, room := range map[string]int64{"roomy": 20_000, "full": 10_000} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(room * gib)
			for i := range 10_000 {
				t := target(fmt.Sprintf("m%05d", i), "one", 1, memory(gib), "")
				w.runs(t, 1)
				if i == 5_000 {
					t = target(t.Model.Name, "two", 1, memory(gib), "")
				}
				w.wants(t)
			}
			host, refused := capacity.Host{Engine: w.engine}, 0
			for b.Loop() {
				refused = len(capacity.Check(host, w.desired, w.containers, nil))
			}
			if want := map[string]int{"full": 1}[name]; refused != want {
				b.Errorf("%d refused, want %d", refused, want)
			}
		})
	}
}
