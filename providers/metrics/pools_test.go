package metrics

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
)

func TestPoolsServeEveryTargetWithItsToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pools{}
		before := map[string]pool{} // what each pool was after the last arrangement
		for range rapid.IntRange(1, 8).Draw(t, "sets") {
			targets := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) reconcile.ScrapeTarget {
				return reconcile.ScrapeTarget{
					Job:     rapid.SampledFrom([]string{"gateway", "model"}).Draw(t, "job"),
					Token:   rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "token"),
					Address: rapid.StringMatching(`10\.0\.0\.[1-9]:80`).Draw(t, "address"),
				}
			}), 0, 6).Draw(t, "targets")
			groups, changed := p.arrange(targets)

			placed, now := 0, map[string]pool{}
			for job, list := range p {
				if len(list) > 8 {
					t.Fatalf("%d pools for four tokens", len(list))
				}
				for i, pool := range list {
					name := poolName(job, i)
					now[name] = *pool
					if was, known := before[name]; was.token != pool.token || !known {
						if was.busy {
							t.Fatalf("pool %s got another token while it had targets", name)
						}
						if !changed {
							t.Fatalf("pool %s is new or has another token, and arrange does not say so", name)
						}
					}
					for _, set := range groups[name][0].Targets {
						placed++
						if !slices.ContainsFunc(targets, func(want reconcile.ScrapeTarget) bool {
							return want.Job == job && want.Token == pool.token && want.Address == string(set["__address__"])
						}) {
							t.Fatalf("target %v is in pool %s of token %q, where it does not belong", set, name, pool.token)
						}
					}
				}
			}
			if placed != len(targets) || len(groups) != len(now) {
				t.Fatalf("%d of %d targets in %d of %d pools", placed, len(targets), len(groups), len(now))
			}
			before = now
		}
	})
}
