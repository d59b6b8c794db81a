package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// publish stores what the run made as a version of the model, and proposes it.
func (j *job) publish(ctx context.Context) (*run.Publication, error) {
	now := time.Now()
	p := j.run.Definition.Publish
	if j.wanted == nil {
		return nil, errors.New("nothing was read from Git yet")
	}
	cfg := j.wanted.Config
	v, err := j.run.Version(now)
	if err != nil {
		return nil, err
	}
	if known := j.known(v); known != nil {
		return known, nil
	}
	if v.Version, err = j.number(cfg, p); err != nil {
		return nil, err
	}
	model := cfg.Model(v.Model)
	if model == nil {
		return nil, fmt.Errorf("%s: model.%s is not declared any more", p.Pos, v.Model)
	}
	if model.Card != nil && (p.Card == "" || model.Card.Path == p.Card) {
		v.Card, v.CardHash = model.Card.Path, model.Card.Hash
	}
	pkg, err := j.modelPackage(ctx, v, model)
	if err != nil {
		return nil, err
	}
	published, err := j.opts.Artifacts.Publish(ctx, pkg)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", v.ID(), err)
	}
	v.Artifact = published.Ref
	live := liveVersions(cfg, nil)
	i := slices.IndexFunc(live, func(l *spec.Version) bool { return l.Model == v.Model })
	var before *spec.Version
	if i >= 0 {
		before = live[i]
	}
	proposed, err := j.opts.Publisher.Publish(ctx, j.wanted, v, message(v, before, j.run))
	if err != nil {
		return nil, fmt.Errorf("propose %s, which is stored as %s: %w", v.ID(), v.Artifact, err)
	}
	return &run.Publication{Version: v.Version, Artifact: v.Artifact, Branch: proposed.Branch, Commit: proposed.Commit, Pushed: proposed.Pushed, At: now}, nil
}

// known finds the same content among the versions that are in Git, and among those
// that were proposed last: it needs no new number.
func (j *job) known(v *spec.Version) *run.Publication {
	for _, old := range j.wanted.Config.Versions {
		if old.Model == v.Model && old.Content == v.Content {
			return &run.Publication{
				Version: old.Version, Artifact: old.Artifact, At: v.Created, Unneeded: "what the run made is " + old.ID() + ", byte for byte",
			}
		}
	}
	if len(j.record.Published) == 0 {
		return nil
	}
	last := j.record.Published[len(j.record.Published)-1]
	if last.Model == v.Model && last.Content == v.Content && last.Content != "" {
		return &run.Publication{
			Version: last.Version, Artifact: last.Artifact, Branch: last.Branch, Commit: last.Commit, At: v.Created,
			Unneeded: fmt.Sprintf("run %s proposed the same bytes already, on the branch %s", last.Run, last.Branch),
		}
	}
	return nil
}

// number is the version that comes next.
func (j *job) number(cfg *spec.Config, p *spec.Publish) (string, error) {
	if p.Bump != "" {
		return registry.Next(cfg.Versions, cfg.Model(p.Model.ServedName()), p.Bump)
	}
	text, err := p.Version.Text(j.run.Facts(outside(cfg, nil, time.Now())))
	if err != nil {
		return "", fmt.Errorf("%s: publish.version: %w", p.Pos, err)
	}
	for _, v := range cfg.Versions {
		if v.Model == p.Model.ServedName() && v.Version == text {
			return "", fmt.Errorf("%s: publish.version gives %s, which there is already, of other content: %s", p.Pos, text, v.Pos)
		}
	}
	return text, nil
}

// modelPackage is the artifact with what is attached to it.
func (j *job) modelPackage(ctx context.Context, v *spec.Version, m *spec.Model) (reconcile.ModelPackage, error) {
	pkg := reconcile.ModelPackage{
		Registry: j.run.Definition.Publish.Registry, Name: v.Model, Version: v.Version, Content: v.Content, Created: v.Created,
		Annotations: map[string]string{"io.fairlead.run": v.Run, "org.opencontainers.image.revision": v.Commit},
	}
	if m.License != "" {
		pkg.Licenses = []string{m.License}
	}
	attach := func(artifactType string, document any) error {
		data, err := json.Marshal(document)
		if err != nil {
			return err
		}
		pkg.Attached = append(pkg.Attached, reconcile.Attachment{ArtifactType: artifactType, MediaType: "application/json", Data: data})
		return nil
	}
	if err := errors.Join(attach(reconcile.ArtifactMetrics, v.Metrics), attach(reconcile.ArtifactLineage, v)); err != nil {
		return pkg, fmt.Errorf("write the lineage of %s: %w", v.ID(), err)
	}
	if m.Signature != nil {
		if err := attach(reconcile.ArtifactSignature, m.Signature); err != nil {
			return pkg, fmt.Errorf("write the signature of %s: %w", v.ID(), err)
		}
	}
	if v.Profile != "" {
		data, err := onlyFile(ctx, j.opts.Artifacts, v.Profile)
		if err != nil {
			return pkg, fmt.Errorf("publish.profile: %w", err)
		}
		pkg.Attached = append(pkg.Attached, reconcile.Attachment{ArtifactType: reconcile.ArtifactProfile, MediaType: "application/json", Data: data})
	}
	return pkg, nil
}

// message is that of the proposal's commit: what a reviewer has to know.
func message(v, before *spec.Version, r *run.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: version %s, made by run %s\n\n", v.Model, v.Version, v.Run)
	fmt.Fprintf(&b, "Pipeline %s ran at commit %s", v.Pipeline, short40(v.Commit))
	if r.Trigger.Reason != "" {
		fmt.Fprintf(&b, " (%s: %s)", r.Trigger.Kind, r.Trigger.Reason)
	}
	b.WriteString(".\n\n")
	if len(v.Metrics) > 0 {
		b.WriteString(metricsTable(v, before) + "\n")
	}
	if len(r.Gates) > 0 {
		b.WriteString("Gates:\n")
		for _, line := range strings.Split(gate.Journal(r.Gates), "\n") {
			b.WriteString("- " + line + "\n")
		}
		b.WriteString("\n")
	}
	if len(v.Params) > 0 {
		b.WriteString("Parameters:\n")
		for _, name := range slices.Sorted(maps.Keys(v.Params)) {
			fmt.Fprintf(&b, "- %s = %v\n", name, v.Params[name])
		}
		b.WriteString("\n")
	}
	if len(v.Data) > 0 {
		b.WriteString("Data:\n")
		for _, name := range slices.Sorted(maps.Keys(v.Data)) {
			fmt.Fprintf(&b, "- dataset.%s %s\n", name, v.Data[name])
		}
		b.WriteString("\n")
	}
	b.WriteString("Steps:\n")
	for _, n := range slices.Sorted(maps.Keys(v.Steps)) {
		s := v.Steps[n]
		fmt.Fprintf(&b, "- %s, image %s%s\n", n, s.Image, valuesText(s.Values))
	}
	fmt.Fprintf(&b, "\nArtifact: %s\nContent: %s\n", v.Artifact, v.Content)
	return b.String()
}

func valuesText(values map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, fmt.Sprintf("%s = %v", name, values[name]))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// metricsTable sets the new figures beside those of the version that the model
// declares.
func metricsTable(v, before *spec.Version) string {
	var b strings.Builder
	old := "before"
	var was map[string]float64
	if before != nil {
		old, was = before.Version, before.Metrics
	}
	width := len("metric")
	for name := range v.Metrics {
		width = max(width, len(name))
	}
	fmt.Fprintf(&b, "    %-*s  %12s  %12s\n", width, "metric", v.Version, old)
	for _, name := range slices.Sorted(maps.Keys(v.Metrics)) {
		then := "-"
		if value, measured := was[name]; measured {
			then = figure(value)
		}
		fmt.Fprintf(&b, "    %-*s  %12s  %12s\n", width, name, figure(v.Metrics[name]), then)
	}
	return b.String()
}

func figure(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

func short40(commit string) string {
	const shown = 12
	if len(commit) > shown {
		return commit[:shown]
	}
	return commit
}

// noted journals what was proposed.
func (l *loop) noted(a *active, answer run.Answer) {
	p := answer.Publication
	if answer.Err != nil || p == nil || p.Unneeded != "" {
		return
	}
	record := l.records[a.run.Pipeline]
	published := journal.RunPublished{
		Run: a.run.ID, Model: a.run.Definition.Publish.Model.ServedName(), Version: p.Version, Artifact: p.Artifact, Branch: p.Branch, Commit: p.Commit, At: p.At,
	}
	for _, digest := range a.run.Digests(a.run.Definition.Publish.Artifact) {
		published.Content = digest
	}
	record.Published = append(slices.Clone(record.Published), published)
	if over := len(record.Published) - maxPublished; over > 0 {
		record.Published = record.Published[over:]
	}
	// An entry that cannot be written does not undo the branch, which says the same.
	l.append(a.run.Pipeline, journal.Entry{
		Action: journal.ActionPublish, Run: a.run.ID, Commit: a.run.Commit, Version: published.Model + "@" + p.Version,
		Reason: fmt.Sprintf("%s, on the branch %s", p.Artifact, p.Branch),
	}, record, p.At)
}

// maxPublished is how many proposals a record remembers.
const maxPublished = 50
