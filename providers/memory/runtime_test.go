package memory_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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
	engine.SetProgram(replica)
	providertest.RuntimeSuite(t, memoryHost{engine})
}

// replica does what the program of the suite does, as far as it can be told
// beforehand.
func replica(c reconcile.ContainerSpec) *memory.Process {
	says := func(text string) []memory.Line { return []memory.Line{{Text: text + "\n"}} }
	switch args := append(c.Command, ""); args[0] {
	case "exit":
		code, _ := strconv.Atoi(args[1])
		return &memory.Process{ExitCode: code}
	case "hog":
		return &memory.Process{ExitCode: 137, OOMKilled: true}
	case "wait":
		return &memory.Process{Runs: memory.Forever, Output: says("ready")}
	case "stubborn":
		return &memory.Process{Runs: memory.Forever, Output: says("ready"), IgnoresTerm: true}
	case "copy":
		content, err := os.ReadFile(inside(c, args[1]))
		if err != nil {
			return &memory.Process{ExitCode: 1, Output: says(err.Error())}
		}
		return &memory.Process{Files: map[string]string{args[2]: string(content)}}
	case "networks":
		if c.NoNetwork {
			return &memory.Process{Output: says("lo")}
		}
		return &memory.Process{Output: says("lo\neth0")}
	case "talk":
		return &memory.Process{Runs: time.Second, Output: []memory.Line{{Text: "first\n"}, {After: time.Second, Text: "last\n"}}}
	}
	return nil
}

// inside is where a path of the container is on the host.
func inside(c reconcile.ContainerSpec, path string) string {
	for _, b := range c.Binds {
		if rest, below := strings.CutPrefix(path, b.Target+"/"); below {
			return filepath.Join(b.Source, rest)
		}
	}
	return path
}
