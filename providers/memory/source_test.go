package memory_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestSourceKeepsThePort(t *testing.T) {
	providertest.SourceSuite(t, func(*testing.T) (reconcile.Source, func(map[string]string)) {
		source := memory.NewSource()
		var revision atomic.Int64
		return source, func(files map[string]string) {
			source.Set(spec.Commit{ID: fmt.Sprintf("%040d", revision.Add(1))}, files)
		}
	})
}

func TestSnapshotsKeepThePort(t *testing.T) {
	providertest.SnapshotsSuite(t, func(*testing.T) (keep, reopened reconcile.Snapshots) {
		source := memory.NewSource()
		return source, source
	})
}
