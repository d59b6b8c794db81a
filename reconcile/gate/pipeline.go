package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// PipelineFacts are those about a pipeline, below "pipeline":
//
//	name description timeout parallel concurrency
//	owners steps params      lists
//	on                       list of triggers; schedule { cron, zone }
//	pinned                   the image of every step is fixed by a digest; unpinned_images, a list
//	network_steps            steps that reach the network
//	secrets                  that steps are given, a list
//	gates                    { NAME = level }; hard_gates, how many there are
//	gate_metrics             names of the metrics that gates ask about, a list; one of a group, such as
//	                         sex.equal_opportunity_ratio, with and without the group
//	datasets                 that are read, a list; unpinned_datasets and unchecked_datasets of them
//	licenses regions personal  of the datasets
//	publish                  { model, card, profile, registry, tolerance, tags }
func PipelineFacts(cfg *spec.Config, p *spec.Pipeline, _ time.Time) Subject {
	f := map[string]any{
		"name": p.Name, "owners": texts(p.Owners), "timeout": seconds(p.Timeout), "parallel": float64(p.Parallel), "concurrency": string(p.Concurrency),
	}
	declare(f, map[string]string{"description": p.Description})
	var triggers, params []string
	for _, t := range p.On {
		triggers = append(triggers, string(t.Kind))
	}
	for i := range p.Params {
		params = append(params, p.Params[i].Name)
	}
	f["on"], f["params"] = texts(triggers), texts(params)
	if p.Schedule != nil {
		f["schedule"] = map[string]any{"cron": p.Schedule.Cron, "zone": p.Schedule.Zone}
	}
	stepFacts(f, p)
	gateFacts(f, p)
	readFacts(f, cfg, p)
	if pub := p.Publish; pub != nil {
		published := map[string]any{"model": pub.Model.ServedName(), "tolerance": pub.Tolerance, "tags": pub.Tags, "profile": pub.Profile != nil}
		declare(published, map[string]string{"card": pub.Card, "registry": pub.Registry})
		f["publish"] = published
	}
	return Subject{Address: p.Address, Pos: p.Pos, Facts: expr.Facts{"pipeline": f}}
}

func stepFacts(f map[string]any, p *spec.Pipeline) {
	var steps, unpinned, network, secrets []string
	for _, s := range p.Steps {
		steps = append(steps, s.Name)
		if !strings.Contains(s.Image, "@") && !slices.Contains(unpinned, s.Image) {
			unpinned = append(unpinned, s.Image)
		}
		if s.Network || s.Container.HostNetwork {
			network = append(network, s.Name)
		}
		for _, v := range s.Env {
			secrets = append(secrets, v.Secret)
		}
		for _, name := range s.Container.SecretFiles {
			secrets = append(secrets, name)
		}
	}
	slices.Sort(secrets)
	secrets = slices.DeleteFunc(slices.Compact(secrets), func(s string) bool { return s == "" })
	f["steps"], f["network_steps"], f["secrets"] = texts(steps), texts(network), texts(secrets)
	f["pinned"], f["unpinned_images"] = len(unpinned) == 0, texts(unpinned)
}

func gateFacts(f map[string]any, p *spec.Pipeline) {
	gates := make(map[string]any, len(p.Gates))
	hard := 0.0
	var metrics []string
	for _, g := range p.Gates {
		gates[g.Name] = string(g.Level)
		if g.Level == spec.LevelHard {
			hard++
		}
		for _, path := range g.Require.Refs() {
			// step.evaluate.metrics.accuracy, select.best.metrics.sex.accuracy
			if len(path) >= 4 && path[2] == "metrics" && path[0] != "live" {
				metrics = append(metrics, strings.Join(path[3:], "."), path[len(path)-1])
			}
		}
	}
	slices.Sort(metrics)
	f["gates"], f["hard_gates"], f["gate_metrics"] = gates, hard, texts(slices.Compact(metrics))
}

// readFacts tell which data a pipeline reads, and what is said of it.
func readFacts(f map[string]any, cfg *spec.Config, p *spec.Pipeline) {
	names := datasetsOf(p)
	var used []*spec.Dataset
	var unpinned, unchecked []string
	for _, name := range names {
		d := dataset(cfg, name)
		if d == nil {
			continue // a checked Config has all of them
		}
		used = append(used, d)
		if !pinned(d) {
			unpinned = append(unpinned, name)
		}
		if len(d.Expect) == 0 {
			unchecked = append(unchecked, name)
		}
	}
	f["datasets"], f["unpinned_datasets"], f["unchecked_datasets"] = texts(names), texts(unpinned), texts(unchecked)
	for name, v := range dataFacts(used) {
		f[name] = v
	}
}

// datasetsOf are the datasets that the steps of a pipeline read, sorted.
func datasetsOf(p *spec.Pipeline) []string {
	var names []string
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			if in.Kind == spec.InputDataset {
				names = append(names, in.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Live are the facts below "live", that gates compare with: of each version the
// model's name with { version, artifact, content, created, metrics, params }. The
// caller says which versions are live.
func Live(versions []*spec.Version) map[string]any {
	live := make(map[string]any, len(versions))
	for _, v := range versions {
		f := map[string]any{"version": v.Version, "metrics": Metrics(v.Metrics), "params": map[string]any{}}
		if v.Params != nil {
			f["params"] = v.Params
		}
		declare(f, map[string]string{"artifact": v.Artifact, "content": v.Content})
		if !v.Created.IsZero() {
			f["created"] = v.Created.UTC().Format(time.RFC3339)
		}
		live[v.Model] = f
	}
	return live
}

// Metrics turns the flat names of metrics into objects, as conditions read them:
// "per_class.7" is metrics.per_class["7"]. Where a name is both a metric and a group
// the group counts.
func Metrics(flat map[string]float64) map[string]any {
	root := map[string]any{}
	for name, value := range flat {
		at := root
		parts := strings.Split(name, ".")
		for _, part := range parts[:len(parts)-1] {
			group, is := at[part].(map[string]any)
			if !is {
				group = map[string]any{}
				at[part] = group
			}
			at = group
		}
		last := parts[len(parts)-1]
		if _, group := at[last].(map[string]any); !group {
			at[last] = value
		}
	}
	return root
}
