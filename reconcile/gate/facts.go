package gate

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// The facts that policies can ask about. A fact that is not declared is absent, and
// not "": so a condition on it has no evidence. Lists are there even when they are
// empty; whatever is a duration is in seconds, whatever is an age in days.

// ModelFacts are those about a model, below "model":
//
//	name description version license protocol port replicas
//	owners                   list
//	image image_digest pinned
//	artifact                 { ref, digest }
//	card                     the front matter of the model card; card_path
//	signature                { inputs, outputs }, lists of names
//	health                   { path, interval, deadline }
//	warmup                   { count }
//	scrape                   { path, port }
//	container                { user, read_only_root, privileged, host_network, cpus, memory, gpus, mounts, devices, capabilities, secrets }
//	routes                   list of { host, path, auth, api_keys, jwt, rate, concurrency, fallback, timeout }
//	open_routes              paths of the ways to it that ask for no key and no token
//	rollout                  { strategy, steps, first_weight, approval, checks, metrics, on_failure, keep_previous }
//	metrics                  those of its version
//	lineage                  of its version: { pipeline, run, commit, created, age_days, content, params, metrics, gates, datasets, licenses, regions, personal, profile, reproducible }
//
// lineage and metrics are there where the registry has an entry of the version that
// the model declares.
func ModelFacts(cfg *spec.Config, m *spec.Model, now time.Time) Subject {
	f := map[string]any{
		"name": m.Name, "protocol": string(m.Protocol), "port": float64(m.Port), "replicas": float64(m.Replicas),
		"owners": texts(m.Owners), "image": m.Image, "pinned": false,
		"health":    map[string]any{"path": m.Health.Path, "interval": seconds(m.Health.Interval), "deadline": seconds(m.Health.Deadline)},
		"container": containerFacts(&m.Container),
		"routes":    routeFacts(m.Routes), "open_routes": texts(openRoutes(m)),
	}
	declare(f, map[string]string{"description": m.Description, "version": m.Version, "license": m.License})
	if _, digest, pinned := strings.Cut(m.Image, "@"); pinned {
		f["pinned"], f["image_digest"] = true, digest
	}
	if m.Artifact != nil {
		f["artifact"] = map[string]any{"ref": m.Artifact.Ref, "digest": m.Artifact.Digest}
	}
	if m.Card != nil {
		f["card_path"] = m.Card.Path
		f["card"] = map[string]any{}
		if m.Card.Facts != nil {
			f["card"] = m.Card.Facts
		}
	}
	if m.Signature != nil {
		f["signature"] = map[string]any{"inputs": tensors(m.Signature.Inputs), "outputs": tensors(m.Signature.Outputs)}
	}
	if m.Warmup != nil {
		f["warmup"] = map[string]any{"count": float64(m.Warmup.Count)}
	}
	if m.Metrics != nil {
		f["scrape"] = map[string]any{"path": m.Metrics.Path, "port": float64(m.Metrics.Port)}
	}
	if m.Rollout != nil {
		f["rollout"] = rolloutFacts(m.Rollout)
	}
	if v := VersionOf(cfg, m); v != nil {
		f["metrics"] = Metrics(v.Metrics)
		f["lineage"] = lineageFacts(cfg, v, now)
	}
	return Subject{Address: m.Address, Pos: m.Pos, Facts: expr.Facts{"model": f}}
}

// VersionOf is the entry of the registry for the version that a model declares, or
// nil: there is none, or the model serves another artifact than that of the entry.
func VersionOf(cfg *spec.Config, m *spec.Model) *spec.Version {
	if m.Artifact == nil { // what it serves is in its image, which no entry is about
		return nil
	}
	first, _ := slices.BinarySearchFunc(cfg.Versions, m.Name, func(v *spec.Version, name string) int { return cmp.Compare(v.Model, name) })
	for _, v := range cfg.Versions[first:] {
		switch {
		case v.Model != m.Name:
			return nil
		case v.Version == m.Version && (m.Artifact == nil || strings.HasSuffix(v.Artifact, "@"+m.Artifact.Digest)):
			return v
		}
	}
	return nil
}

// openRoutes are the ways to a model that everybody may go.
func openRoutes(m *spec.Model) []string {
	var open []string
	guarded := len(m.Routes) > 0
	for i := range m.Routes {
		if m.Routes[i].Auth == nil {
			open = append(open, m.Routes[i].Host+m.Routes[i].Path)
			guarded = false
		}
	}
	// The gateway asks at this path for what all routes of the model ask.
	if m.Protocol == spec.OpenInference && !guarded {
		open = append(open, "/v2/models/"+m.Name)
	}
	return open
}

func containerFacts(c *spec.Container) map[string]any {
	secrets := map[string]bool{}
	for _, v := range c.Env {
		secrets[v.Secret] = true
	}
	for _, name := range c.SecretFiles {
		secrets[name] = true
	}
	delete(secrets, "")
	mounts := make([]string, len(c.Mounts))
	for i := range c.Mounts {
		mounts[i] = c.Mounts[i].Target
	}
	gpus := float64(c.Resources.GPUs.Count)
	if ids := len(c.Resources.GPUs.IDs); ids > 0 {
		gpus = float64(ids)
	}
	f := map[string]any{
		"read_only_root": c.ReadOnlyRoot, "privileged": c.Privileged, "host_network": c.HostNetwork, "gpus": gpus,
		"mounts": texts(mounts), "devices": texts(c.Devices), "capabilities": texts(c.Capabilities),
		"secrets": texts(slices.Sorted(maps.Keys(secrets))),
	}
	declare(f, map[string]string{"user": c.User})
	if c.Resources.CPUs > 0 {
		f["cpus"] = c.Resources.CPUs
	}
	if c.Resources.Memory > 0 {
		f["memory"] = float64(c.Resources.Memory)
	}
	return f
}

func routeFacts(routes []spec.Route) []any {
	list := make([]any, len(routes))
	for i := range routes {
		r := &routes[i]
		f := map[string]any{"path": r.Path, "auth": r.Auth != nil, "timeout": seconds(r.Timeout), "api_keys": 0.0, "jwt": false}
		declare(f, map[string]string{"host": r.Host, "fallback": r.Fallback})
		if r.Auth != nil {
			f["api_keys"], f["jwt"] = float64(len(r.Auth.APIKeys)), r.Auth.JWT != nil
		}
		if r.Limit != nil {
			f["rate"], f["concurrency"] = r.Limit.Rate, float64(r.Limit.Concurrency)
		}
		list[i] = f
	}
	return list
}

func rolloutFacts(r *spec.Rollout) map[string]any {
	var checks, metrics []string
	for i := range r.Checks {
		checks = append(checks, r.Checks[i].Name)
		if r.Checks[i].Metric != "" {
			metrics = append(metrics, string(r.Checks[i].Metric))
		}
	}
	f := map[string]any{
		"strategy": string(r.Strategy), "steps": float64(len(r.Steps)), "checks": texts(checks), "metrics": texts(metrics),
		"on_failure": string(r.OnFailure), "keep_previous": seconds(r.KeepPrevious),
		"approval": slices.ContainsFunc(r.Steps, func(s spec.RolloutStep) bool { return s.Approval }),
	}
	if len(r.Steps) > 0 {
		f["first_weight"] = float64(r.Steps[0].Weight)
	}
	return f
}

// lineageFacts tell how a version was made. What is said of its data is that of the
// datasets as they are declared now; where one of them is not any more, nothing is
// said of all of them.
func lineageFacts(cfg *spec.Config, v *spec.Version, now time.Time) map[string]any {
	gates := make(map[string]any, len(v.Gates))
	for i := range v.Gates {
		gates[v.Gates[i].Name] = v.Gates[i].Outcome
	}
	names := slices.Sorted(maps.Keys(v.Data))
	f := map[string]any{
		"metrics": Metrics(v.Metrics), "gates": gates, "datasets": texts(names), "params": map[string]any{},
		"reproducible": v.Definition != "" && v.Commit != "",
	}
	if v.Params != nil {
		f["params"] = v.Params
	}
	declare(f, map[string]string{"pipeline": v.Pipeline, "run": v.Run, "commit": v.Commit, "content": v.Content, "profile": v.Profile})
	dated(f, "created", v.Created, now)
	var used []*spec.Dataset
	for _, name := range names {
		d := dataset(cfg, name)
		if d == nil {
			return f
		}
		used = append(used, d)
	}
	maps.Copy(f, dataFacts(used))
	return f
}

// dataFacts are what is said of several datasets together.
func dataFacts(used []*spec.Dataset) map[string]any {
	licenses, regions := map[string]bool{}, map[string]bool{}
	personal := false
	for _, d := range used {
		licenses[d.License], regions[d.Region] = true, true
		personal = personal || d.Personal
	}
	f := map[string]any{"personal": personal}
	// One that says nothing leaves no evidence for all of them.
	if !licenses[""] {
		f["licenses"] = texts(slices.Sorted(maps.Keys(licenses)))
	}
	if !regions[""] {
		f["regions"] = texts(slices.Sorted(maps.Keys(regions)))
	}
	return f
}

// DatasetFacts are those about a dataset, below "dataset":
//
//	name description digest license region collected age_days
//	owners                   list
//	source                   { kind, location }
//	pinned                   the content is fixed: by a digest, or as a file of the repo
//	personal                 it holds personal data
//	labels                   as declared
//	expectations             how many there are; columns, a list of those that are expected
//	used_by                  pipelines, a list
func DatasetFacts(cfg *spec.Config, d *spec.Dataset, now time.Time) Subject {
	var columns []string
	for i := range d.Expect {
		if c := d.Expect[i].Column; c != "" && !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	var users []string
	for _, p := range cfg.Pipelines {
		if slices.Contains(datasetsOf(p), d.Name) {
			users = append(users, p.Name)
		}
	}
	f := map[string]any{
		"name": d.Name, "owners": texts(d.Owners), "personal": d.Personal, "pinned": pinned(d),
		"source": map[string]any{"kind": string(d.Source.Kind), "location": d.Source.Location},
		"labels": map[string]any{}, "expectations": float64(len(d.Expect)), "columns": texts(columns), "used_by": texts(users),
	}
	if d.Labels != nil {
		f["labels"] = d.Labels
	}
	declare(f, map[string]string{"description": d.Description, "digest": d.Digest, "license": d.License, "region": d.Region})
	dated(f, "collected", d.Collected, now)
	return Subject{Address: d.Address, Pos: d.Pos, Facts: expr.Facts{"dataset": f}}
}

func pinned(d *spec.Dataset) bool {
	return d.Digest != "" || d.Source.Kind == spec.SourceRepo || strings.Contains(d.Source.Location, "@sha256:")
}

func dataset(cfg *spec.Config, name string) *spec.Dataset {
	i, found := slices.BinarySearchFunc(cfg.Datasets, name, func(d *spec.Dataset, name string) int { return cmp.Compare(d.Name, name) })
	if !found {
		return nil
	}
	return cfg.Datasets[i]
}

// declare sets those facts that are not "".
func declare(f map[string]any, values map[string]string) {
	for name, v := range values {
		if v != "" {
			f[name] = v
		}
	}
}

// dated sets a time and its age, where there is one.
func dated(f map[string]any, name string, at, now time.Time) {
	if !at.IsZero() {
		f[name] = at.UTC().Format(time.RFC3339)
		f["age_days"] = now.Sub(at).Hours() / 24
	}
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// texts is a list that is there even when it is empty.
func texts(list []string) []any {
	values := make([]any, len(list))
	for i := range list {
		values[i] = list[i]
	}
	return values
}

func tensors(list []spec.Tensor) []any {
	names := make([]any, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names
}
