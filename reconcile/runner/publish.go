package runner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// publish stores what the run made as a version of the model, and proposes it.
func (j *job) publish(ctx context.Context) (*run.Publication, error) {
	now := j.run.Judged // and not the time of this attempt: each would be another artifact
	p := j.run.Definition.Publish
	if j.wanted == nil {
		return nil, errors.New("nothing was read from Git yet")
	}
	cfg := j.wanted.Config
	v, err := j.run.Version(now)
	if err != nil {
		return nil, err
	}
	if known, err := j.known(ctx, v); known != nil || err != nil {
		return known, err
	}
	if v.Version, err = j.number(cfg, p); err != nil {
		return nil, err
	}
	model := cfg.Model(v.Model)
	if model == nil {
		return nil, fmt.Errorf("%s: model.%s is not declared any more", p.Pos, v.Model)
	}
	if err := j.card(v, p, model); err != nil {
		return nil, err
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
	live := liveVersions(cfg, j.live)
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
func (j *job) known(ctx context.Context, v *spec.Version) (*run.Publication, error) {
	for _, old := range j.wanted.Config.Versions {
		if old.Model == v.Model && old.Content == v.Content {
			why := "what the run made is " + old.ID() + ", byte for byte"
			back, err := j.bringBack(ctx, old)
			if err != nil {
				return nil, err
			}
			if back {
				why += "; its artifact was lost here, and is back"
			}
			return &run.Publication{Version: old.Version, Artifact: old.Artifact, At: v.Created, Unneeded: why}, nil
		}
	}
	if len(j.record.Published) == 0 || j.run.Fresh { // who wants it anew, wants the branch anew
		return nil, nil
	}
	last := j.record.Published[len(j.record.Published)-1]
	if last.Model == v.Model && last.Content == v.Content && last.Content != "" {
		return &run.Publication{
			Version: last.Version, Artifact: last.Artifact, Branch: last.Branch, Commit: last.Commit, At: v.Created,
			Unneeded: fmt.Sprintf("run %s proposed the same bytes already, on the branch %s; where that is gone, run it with --fresh", last.Run, last.Branch),
		}, nil
	}
	return nil, nil
}

// bringBack makes the artifact of a version again, where the store lost it with the
// data directory: of the same files and what the registry recorded it has the same
// digest.
func (j *job) bringBack(ctx context.Context, old *spec.Version) (bool, error) {
	if !strings.HasPrefix(old.Artifact, "oci://"+reconcile.LocalRegistry+"/") {
		return false, nil
	}
	_, err := j.opts.Artifacts.Lookup(ctx, digestOf(old.Artifact))
	model := j.wanted.Config.Model(old.Model)
	if model == nil || !errors.Is(err, reconcile.ErrNoContent) {
		return false, err
	}
	pkg, err := j.modelPackage(ctx, old, model)
	if err != nil {
		return false, err
	}
	pkg.Registry = ""
	published, err := j.opts.Artifacts.Publish(ctx, pkg)
	if err == nil && published.Ref != old.Artifact {
		err = fmt.Errorf("the artifact of %s was lost, and made again it is %s instead of %s: its licence, perhaps, is another one now", old.ID(), published.Ref, old.Artifact)
	}
	return err == nil, err
}

// card notes the model card of the version: the one that publish names, or the
// model's own.
func (j *job) card(v *spec.Version, p *spec.Publish, m *spec.Model) error {
	switch {
	case p.Card != "":
		text, err := j.wanted.Tree.Read(p.Card)
		if err != nil {
			return fmt.Errorf("%s: publish.card: %w", p.Pos, err)
		}
		sum := sha256.Sum256(text)
		v.Card, v.CardHash = p.Card, digestText(sum[:])
	case m.Card != nil:
		v.Card, v.CardHash = m.Card.Path, m.Card.Hash
	}
	return nil
}

// number is the version that comes next.
func (j *job) number(cfg *spec.Config, p *spec.Publish) (string, error) {
	if p.Bump != "" {
		return registry.Next(slices.Concat(cfg.Versions, j.proposed), cfg.Model(p.Model.ServedName()), p.Bump)
	}
	text, err := p.Version.Text(j.run.Facts(outside(cfg, j.live, time.Now())))
	if err != nil {
		return "", fmt.Errorf("%s: publish.version: %w", p.Pos, err)
	}
	if !semver.IsValid("v" + text) {
		return "", fmt.Errorf("%s: publish.version gives %q, which is no semantic version, MAJOR.MINOR.PATCH", p.Pos, text)
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
		if errors.Is(err, reconcile.ErrNoContent) { // of a version whose data was lost: the artifact does without
			return pkg, nil
		}
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

// noted journals what was proposed, and lets the run have its answer. Until the journal
// can be written the run waits: else the artifact would be collected while people
// review the proposal.
func (l *loop) noted(a *active, now time.Time) bool {
	answer := *a.unnoted
	p := answer.Publication
	if p.Unneeded == "" {
		record := l.records[a.run.Pipeline]
		publish := a.run.Definition.Publish
		published := journal.RunPublished{
			Run: a.run.ID, Model: publish.Model.ServedName(), Version: p.Version, Artifact: p.Artifact, Branch: p.Branch, Commit: p.Commit, At: p.At,
			Content: theOne(a.run.Digests(publish.Artifact)),
		}
		if publish.Profile != nil {
			published.Profile = theOne(a.run.Digests(*publish.Profile))
		}
		record.Published = append(slices.Clone(record.Published), published)
		if over := len(record.Published) - maxPublished; over > 0 {
			record.Published = record.Published[over:]
		}
		e := journal.Entry{
			Action: journal.ActionPublish, Run: a.run.ID, Commit: a.run.Commit, Version: published.Model + "@" + p.Version,
			Reason: fmt.Sprintf("%s, on the branch %s", p.Artifact, p.Branch),
		}
		if !l.append(a.run.Pipeline, e, record, now) {
			l.postpone(a, now, errors.New(l.problems[a.run.Pipeline]))
			return false
		}
	}
	a.unnoted, a.tries = nil, 0
	a.answers = append(a.answers, answer)
	return true
}

// everProposed are the versions that any pipeline here proposed: a number that was given
// once is never given to other bytes.
func (l *loop) everProposed() []*spec.Version {
	var versions []*spec.Version
	for _, record := range l.records {
		for _, p := range record.Published {
			versions = append(versions, &spec.Version{Model: p.Model, Version: p.Version})
		}
	}
	return versions
}

// theOne is the digest of an input that is no fan-in.
func theOne(digests map[string]string) string { return digests[""] }

// maxPublished is how many proposals a record remembers.
const maxPublished = 50
