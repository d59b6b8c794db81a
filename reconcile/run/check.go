package run

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile/search"
	"github.com/fairlead/fairlead/spec"
)

// maxNodes bounds the containers of one run, as the language does.
const maxNodes = 4096

// Check refuses a definition that does not come from the language, which has checked
// it, but from a file that anybody can write.
func Check(p *spec.Pipeline) error {
	if !spec.ValidName(p.Name) {
		return fmt.Errorf("%q is not the name of a pipeline", p.Name)
	}
	nodes := 0
	names := map[string]bool{}
	for _, s := range p.Steps {
		switch {
		case s == nil:
			return fmt.Errorf("a step is null")
		case !spec.ValidName(s.Name), names[s.Name]:
			return fmt.Errorf("%q is not the name of one step", s.Name)
		case s.Search != nil:
			nodes += s.Search.Trials
		default:
			variants := 1
			for _, axis := range s.Matrix {
				if variants *= len(axis.Values); variants > maxNodes {
					break
				}
			}
			nodes += variants
		}
		names[s.Name] = true
		for _, output := range s.Outputs {
			if spec.CheckFileName(output) != nil {
				return fmt.Errorf("%q is not the name of an output", output)
			}
		}
		if nodes > maxNodes || s.Search != nil && s.Search.Trials < 1 {
			return fmt.Errorf("it has more than %d containers, or none", maxNodes)
		}
		if s.Search != nil {
			if err := search.Check(*s.Search); err != nil {
				return fmt.Errorf("step %s: %w", s.Name, err)
			}
		}
	}
	for _, s := range p.Selects {
		if s == nil || p.Step(s.Of) == nil {
			return fmt.Errorf("a selection is of no step")
		}
	}
	for _, g := range p.Gates {
		if g == nil {
			return fmt.Errorf("a gate is null")
		}
	}
	return nil
}
