package memory_test

import (
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

const localImage = "replica:1"

// memoryHost is an engine in memory as the suite sees it.
type memoryHost struct{ *memory.Engine }

func (h memoryHost) Open(_ *testing.T, scope reconcile.Scope) reconcile.Runtime {
	return h.Runtime(scope)
}

func (memoryHost) Image() string { return localImage }

func TestRuntimeKeepsItsContract(t *testing.T) {
	engine := memory.NewEngine()
	engine.AddImage(localImage, reconcile.Image{Pin: "sha256:1234", LocalOnly: true})
	providertest.RuntimeSuite(t, memoryHost{engine})
}
