package view_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
)

func TestGraphIsDrawnInEveryForm(t *testing.T) {
	declared := view.PipelineGraph(trainDigits())
	running := view.RunGraph(digitsRun(), now)
	done := view.RunGraph(finish(digitsRun()), now)
	denied := view.RunGraph(deniedRun(), now)
	for name, g := range map[string]*view.Graph{"declared": declared, "running": running, "done": done, "denied": denied} {
		golden(t, "graph-"+name, func(v *view.View) error { return v.GraphText(g) })
		golden(t, "graph-"+name+"-mermaid", func(v *view.View) error { return v.Line(g.Mermaid()) })
		golden(t, "graph-"+name+"-svg", func(v *view.View) error { return v.Line(g.SVG()) })
		if dir := os.Getenv("FAIRLEAD_GRAPHS"); dir != "" { // to be looked at
			if err := os.WriteFile(dir+"/"+name+".svg", []byte(g.SVG()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	golden(t, "graph-json", func(v *view.View) error { return v.JSON(running) })
}

// wellFormed reads a picture to its end.
func wellFormed(picture string) error {
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestGraphHoldsWhateverItIsTold(t *testing.T) {
	r := finish(digitsRun())
	r.ID = "<script>alert(1)</script>\x00\x1b"
	r.Gates = []gate.Result{{Name: "fair", Outcome: gate.Failed}}
	r.Published.Version = `"]]><&`
	g := view.RunGraph(r, now)
	picture := g.SVG()
	if err := wellFormed(picture); err != nil || strings.Contains(picture, "<script") {
		t.Errorf("%v: %s", err, picture)
	}
	if text := g.Mermaid(); strings.Contains(text, "<script") || strings.Contains(text, `"]`+"]") {
		t.Error(text)
	}
}

func TestGraphOfAPipelineOfAnyShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &spec.Pipeline{Name: "any", Address: pipelineAddress("any")}
		for i := range rapid.IntRange(0, 25).Draw(t, "steps") {
			s := &spec.Step{Name: fmt.Sprintf("step_%s_%d", rapid.StringMatching(`[a-z]{0,40}`).Draw(t, "name"), i), Inputs: map[string]spec.Input{}, Exit: rapid.IntRange(0, 9).Draw(t, "exit") == 0}
			for j := range rapid.IntRange(0, min(i, 4)).Draw(t, "inputs") {
				other := p.Steps[rapid.IntRange(0, i-1).Draw(t, "of")]
				s.Inputs[fmt.Sprint(j)] = spec.Input{Kind: spec.InputStep, Name: other.Name, Output: "out"}
			}
			if i == 0 {
				s.Inputs["missing"] = spec.Input{Kind: spec.InputStep, Name: "nothing"}
			}
			p.Steps = append(p.Steps, s)
		}
		if rapid.Bool().Draw(t, "cycle") && len(p.Steps) > 1 {
			p.Steps[0].After = []string{p.Steps[len(p.Steps)-1].Name}
		}
		g := view.PipelineGraph(p)
		if len(g.Nodes) != len(p.Steps) {
			t.Fatalf("%d nodes of %d steps", len(g.Nodes), len(p.Steps))
		}
		if err := wellFormed(g.SVG()); err != nil {
			t.Fatal(err)
		}
		if problem := view.Overlap(g); problem != "" {
			t.Fatal(problem)
		}
	})
}

func TestEdgesDoNotCrossWhereTheyNeedNot(t *testing.T) {
	// Two chains whose names are in the wrong order, and a ladder: both can be drawn
	// without a crossing.
	step := func(name string, needs ...string) *spec.Step {
		s := &spec.Step{Name: name, Inputs: map[string]spec.Input{}}
		for _, n := range needs {
			s.Inputs[n] = spec.Input{Kind: spec.InputStep, Name: n, Output: "x"}
		}
		return s
	}
	for name, steps := range map[string][]*spec.Step{
		"chains": {step("a"), step("b"), step("c", "b"), step("d", "a"), step("e", "c"), step("f", "d")},
		"ladder": {step("a"), step("b", "a"), step("c", "a"), step("d", "c"), step("e", "b"), step("f", "d", "e")},
		"skip":   {step("a"), step("b", "a"), step("c", "b"), step("d", "c", "a"), step("e", "a")},
	} {
		if n := view.Crossings(view.PipelineGraph(&spec.Pipeline{Name: name, Steps: steps})); n > 0 {
			t.Errorf("%s: %d crossings", name, n)
		}
	}
}
