package run

import (
	"maps"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec/expr"
)

// Facts are what the conditions and templates of a run can refer to: param, step,
// select, dataset, run and env, beside outside, which holds live and model, and what
// is declared of datasets.
func (r *Run) Facts(outside expr.Facts) expr.Facts {
	facts := maps.Clone(outside)
	if facts == nil {
		facts = expr.Facts{}
	}
	facts["param"] = maps.Clone(r.Params)
	facts["env"] = map[string]any{"name": r.Environment}
	facts["run"] = map[string]any{
		"id": r.ID, "pipeline": r.Pipeline, "commit": r.Commit, "outcome": string(r.Outcome), "reason": r.Reason,
		"trigger": string(r.Trigger.Kind), "actor": r.Trigger.Actor,
	}
	steps := map[string]any{}
	for _, s := range r.Definition.Steps {
		if n := r.Nodes[s.Name]; n != nil && !varied(s) {
			steps[s.Name] = nodeFacts(n)
		}
	}
	facts["step"] = steps
	selects := map[string]any{}
	for _, s := range r.Definition.Selects {
		if best := r.Selected(s); best != nil {
			selects[s.Name] = nodeFacts(best)
		}
	}
	facts["select"] = selects
	facts["dataset"] = r.datasetFacts(outside)
	return facts
}

func nodeFacts(n *Node) map[string]any {
	return map[string]any{
		"metrics": gate.Metrics(n.Metrics), "values": maps.Clone(n.Values), "phase": string(n.Phase), "reason": n.Reason,
	}
}

// datasetFacts puts what the run found beside what is declared.
func (r *Run) datasetFacts(outside expr.Facts) map[string]any {
	all := map[string]any{}
	declared, _ := outside["dataset"].(map[string]any)
	maps.Copy(all, declared)
	for name, d := range r.Datasets {
		facts := map[string]any{}
		before, _ := all[name].(map[string]any)
		maps.Copy(facts, before)
		facts["digest"] = d.Digest
		if d.Rows > 0 {
			facts["rows"] = float64(d.Rows)
		}
		all[name] = facts
	}
	return all
}

// of adds what only one node knows.
func (n *Node) facts(of expr.Facts) expr.Facts {
	facts := maps.Clone(of)
	facts["matrix"] = maps.Clone(n.Values)
	return facts
}
