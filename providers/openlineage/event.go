package openlineage

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// Event makes the document of an event. repo is the URL of the config repo, without
// credentials; "" where there is none to name.
func Event(e run.Event, repo string) Document {
	b := builder{run: e.Run, node: e.Node, kind: e.Kind, namespace: "fairlead/" + e.Run.Environment}
	d := Document{
		EventType: string(e.Kind), EventTime: e.At.UTC(), Producer: producer, SchemaURL: eventSchema,
		Job: jobPart{Namespace: b.namespace, Name: b.run.Pipeline},
	}
	if e.Node == nil {
		d.Run = runPart{RunID: b.id(""), Facets: b.runFacets()}
		d.Inputs, d.Outputs = b.runInputs(), b.runOutputs()
	} else {
		d.Job.Name += "." + e.Node.Step
		d.Run = runPart{RunID: b.id(e.Node.ID), Facets: b.nodeFacets()}
		d.Inputs, d.Outputs = b.nodeInputs(), b.nodeOutputs()
	}
	d.Job.Facets = b.jobFacets(repo)
	return d
}

// builder makes the parts of one document.
type builder struct {
	run       *run.Run
	node      *run.Node // nil: the run as a whole
	kind      run.EventKind
	namespace string
}

// space is the namespace of our UUIDs, once made at random.
var space = [16]byte{0x5e, 0x0b, 0x3c, 0x1f, 0x7a, 0x42, 0x4d, 0x9c, 0x9b, 0x65, 0x21, 0xe8, 0x0d, 0x9f, 0x13, 0xa6}

// id is the UUID of the run, or of one node of it. The time is a part of what it
// is made from, as numbers of runs begin anew where the journal does.
func (b *builder) id(node string) string {
	name := strings.Join([]string{b.run.Environment, b.run.ID, b.run.Created.UTC().Format(time.RFC3339Nano), node}, "\x00")
	sum := sha1.Sum(append(space[:], name...)) // as RFC 9562 has it for version 5
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

func (b *builder) jobFacets(repo string) jobFacets {
	f := jobFacets{JobType: &jobType{standard("2-0-4", "JobTypeJobFacet"), "BATCH", "FAIRLEAD", "PIPELINE"}}
	p := &b.run.Definition
	pos := p.Pos
	if b.node != nil {
		f.JobType.JobType = "STEP"
		if s := b.run.Step(b.node); s != nil {
			pos = s.Pos
		}
	}
	if len(p.Owners) > 0 {
		f.Ownership = &ownership{facet: standard("1-0-1", "OwnershipJobFacet")}
		for _, name := range p.Owners {
			f.Ownership.Owners = append(f.Ownership.Owners, owner{name})
		}
	}
	if repo != "" && b.run.Commit != "" {
		f.SourceCodeLocation = &sourceCodeLocation{standard("1-1-0", "SourceCodeLocationJobFacet"), "git", repo, repo, pos.File, b.run.Commit}
	}
	return f
}

func (b *builder) runFacets() runFacets {
	r := b.run
	f := runFacets{
		NominalTime: b.nominal(), ErrorMessage: b.failure(r.Reason),
		ExecutionParameters: parametersOf(r.Params),
		Run: &runFacet{
			facet: own("FairleadRunRunFacet"), ID: r.ID, Trigger: string(r.Trigger.Kind), Actor: r.Trigger.Actor, Reason: r.Trigger.Reason,
			Reproduces: r.Reproduces, Resumes: r.Trigger.Resumes, Outcome: string(r.Outcome),
		},
	}
	for _, g := range r.Gates {
		f.Run.Gates = append(f.Run.Gates, gate{
			Name: g.Name, Subject: g.Subject, Level: string(g.Level), Outcome: string(g.Outcome), Detail: g.Detail, Regulation: g.Regulation, Overridden: g.Override != nil,
		})
	}
	return f
}

func (b *builder) nodeFacets() runFacets {
	n := b.node
	var up parentRun
	up.Run.RunID, up.Job.Namespace, up.Job.Name = b.id(""), b.namespace, b.run.Pipeline
	f := runFacets{
		NominalTime: b.nominal(), ErrorMessage: b.failure(n.Reason),
		Parent:              &parent{standard("1-2-0", "ParentRunFacet"), up, up},
		ExecutionParameters: parametersOf(n.Values),
		Step: &stepFacet{
			facet: own("FairleadStepRunFacet"), Run: b.run.ID, Node: n.ID, Key: n.Key, From: n.From, Attempt: n.Attempt,
			ExitCode: n.ExitCode, Cause: string(n.Cause), Values: n.Values, Metrics: n.Metrics,
		},
	}
	if n.KeyOf != nil {
		f.Step.Image = n.KeyOf.Image
	}
	return f
}

// nominal is the time that the schedule said.
func (b *builder) nominal() *nominalTime {
	if b.run.Trigger.Scheduled.IsZero() {
		return nil
	}
	return &nominalTime{standard("1-0-1", "NominalTimeRunFacet"), b.run.Trigger.Scheduled.UTC()}
}

func (b *builder) failure(reason string) *errorMessage {
	if b.kind != run.EventFail && b.kind != run.EventAbort {
		return nil
	}
	return &errorMessage{standard("1-0-1", "ErrorMessageRunFacet"), cmp.Or(reason, "no reason is known"), "unknown"}
}

func parametersOf(values map[string]any) *executionParameters {
	if len(values) == 0 {
		return nil
	}
	f := &executionParameters{facet: standard("1-0-0", "ExecutionParametersRunFacet")}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text := fmt.Sprint(values[name])
		if number, is := values[name].(float64); is {
			text = strconv.FormatFloat(number, 'f', -1, 64) // not 1e+06
		}
		f.Parameters = append(f.Parameters, parameter{name, text})
	}
	return f
}

// runInputs are the datasets that the run reads.
func (b *builder) runInputs() []dataset {
	inputs := []dataset{}
	for _, name := range slices.Sorted(maps.Keys(b.run.Datasets)) {
		inputs = append(inputs, b.dataset(name))
	}
	return inputs
}

// runOutputs is the model that the run published.
func (b *builder) runOutputs() []dataset {
	published, publish := b.run.Published, b.run.Definition.Publish
	if published == nil || published.Unneeded != "" || publish == nil || b.kind != run.EventComplete {
		return []dataset{}
	}
	model := publish.Model.ServedName()
	d := b.versioned("model."+model, published.Version)
	d.Facets.Model = &modelFacet{
		facet: own("FairleadModelDatasetFacet"), Model: model, Version: published.Version, Artifact: published.Artifact, Params: b.run.Params,
		Data: map[string]string{},
	}
	for name, data := range b.run.Datasets {
		d.Facets.Model.Data[name] = cmp.Or(data.Digest, data.Content)
	}
	if nodes := b.nodesOf(publish.Artifact); len(nodes) == 1 {
		d.OutputFacets = statistics(nodes[0], publish.Artifact.Output)
	}
	measured := publish.Artifact
	if publish.Metrics != nil {
		measured = *publish.Metrics
	}
	if nodes := b.nodesOf(measured); len(nodes) == 1 {
		d.Facets.Model.Metrics = nodes[0].Metrics
	}
	return []dataset{d}
}

// nodeInputs are what the node reads, by what it was written by.
func (b *builder) nodeInputs() []dataset {
	inputs := []dataset{}
	step := b.run.Step(b.node)
	if step == nil {
		return inputs
	}
	seen := map[string]bool{}
	add := func(d dataset) {
		if !seen[d.Name] {
			seen[d.Name] = true
			inputs = append(inputs, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(step.Inputs)) {
		in := step.Inputs[name]
		if in.Kind == spec.InputDataset {
			add(b.dataset(in.Name))
			continue
		}
		for _, n := range b.nodesOf(in) {
			if _, wrote := n.Outputs[in.Output]; wrote {
				add(b.written(n, in.Output))
			}
		}
	}
	return inputs
}

// nodeOutputs are what the node wrote.
func (b *builder) nodeOutputs() []dataset {
	outputs := []dataset{}
	if b.kind != run.EventComplete {
		return outputs
	}
	for _, name := range slices.Sorted(maps.Keys(b.node.Outputs)) {
		d := b.written(b.node, name)
		d.OutputFacets = statistics(b.node, name)
		outputs = append(outputs, d)
	}
	return outputs
}

// nodesOf are the nodes that an input stands for: one, or all variants.
func (b *builder) nodesOf(in spec.Input) []*run.Node {
	switch in.Kind {
	case spec.InputStep:
		return b.run.Of(in.Name)
	case spec.InputSelect:
		if s := b.run.Definition.Select(in.Name); s != nil {
			if best := b.run.Selected(s); best != nil {
				return []*run.Node{best}
			}
		}
	default: // a dataset is written by none
	}
	return nil
}

// written is an output of a node as a dataset.
func (b *builder) written(n *run.Node, output string) dataset {
	return b.versioned(strings.Join([]string{"pipeline", b.run.Pipeline, n.ID, output}, "."), n.Outputs[output].Digest)
}

// dataset is a declared one, and what was found to hold of it.
func (b *builder) dataset(name string) dataset {
	found := b.run.Datasets[name]
	d := b.versioned("dataset."+name, cmp.Or(found.Digest, found.Content))
	if len(found.Checked) > 0 {
		f := &dataQualityAssertions{facet: standard("1-1-0", "DataQualityAssertionsDatasetFacet")}
		for _, words := range found.Checked {
			f.Assertions = append(f.Assertions, assertion{words, true})
		}
		d.InputFacets = &inputFacets{DataQualityAssertions: f}
	}
	return d
}

func (b *builder) versioned(name, version string) dataset {
	d := dataset{Namespace: b.namespace, Name: name}
	if version != "" {
		d.Facets.Version = &datasetVersion{standard("1-0-1", "DatasetVersionDatasetFacet"), version}
	}
	return d
}

func statistics(n *run.Node, output string) *outputFacets {
	content := n.Outputs[output]
	return &outputFacets{OutputStatistics: &outputStatistics{standard("1-0-2", "OutputStatisticsOutputDatasetFacet"), content.Size, content.Files}}
}
