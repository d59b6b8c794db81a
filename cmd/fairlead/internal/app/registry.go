package app

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

// RegistryFormat is the version of the JSON form of Registry.
const RegistryFormat = "1.0"

// Registry is the answer of /api/v1/registry: what the config repo says about
// versions of models, and no more of it than that needs.
type Registry struct {
	FormatVersion string            `json:"format_version"`
	Environment   string            `json:"environment"`
	Commit        spec.Commit       `json:"commit"`
	Models        []RegistryModel   `json:"models"`          // sorted by name
	Versions      []RegistryVersion `json:"versions"`        // sorted by model, oldest first
	Datasets      []RegistryDataset `json:"datasets"`        // sorted by name
	Cards         map[string]string `json:"cards,omitempty"` // text of model cards, by path
}

// RegistryModel is a model that is declared.
type RegistryModel struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`  // that is declared
	Artifact string `json:"artifact,omitempty"` // digest
	Card     string `json:"card,omitempty"`     // path
}

// RegistryVersion is an entry, and where it is.
type RegistryVersion struct {
	spec.Version
	At spec.Pos `json:"at"`
}

// RegistryDataset is a dataset that is declared.
type RegistryDataset struct {
	Name      string   `json:"name"`
	Digest    string   `json:"digest,omitempty"`
	Pipelines []string `json:"pipelines,omitempty"` // that read it
}

// RegistryOf reads a registry from specs, and from the tree that they are of.
func RegistryOf(cfg *spec.Config, tree spec.Tree) *Registry {
	r := &Registry{
		FormatVersion: RegistryFormat, Environment: cfg.Environment, Commit: tree.Commit(),
		Models: []RegistryModel{}, Versions: []RegistryVersion{}, Datasets: []RegistryDataset{}, Cards: map[string]string{},
	}
	for _, m := range cfg.Models {
		model := RegistryModel{Name: m.Name, Version: m.Version}
		if m.Artifact != nil {
			model.Artifact = m.Artifact.Digest
		}
		if m.Card != nil {
			model.Card, r.Cards[m.Card.Path] = m.Card.Path, string(m.Card.Text)
		}
		r.Models = append(r.Models, model)
	}
	for _, v := range cfg.Versions {
		r.Versions = append(r.Versions, RegistryVersion{Version: *v, At: v.Pos})
		if _, known := r.Cards[v.Card]; v.Card == "" || known {
			continue
		}
		if text, err := tree.Read(v.Card); err == nil { // one that is gone since is told as such
			r.Cards[v.Card] = string(text)
		}
	}
	for _, d := range cfg.Datasets {
		r.Datasets = append(r.Datasets, RegistryDataset{Name: d.Name, Digest: d.Digest, Pipelines: readers(cfg, d.Name)})
	}
	return r
}

// readers are the pipelines that read a dataset.
func readers(cfg *spec.Config, dataset string) []string {
	var names []string
	for _, p := range cfg.Pipelines {
		if slices.ContainsFunc(p.Steps, func(s *spec.Step) bool { return readsData(s, dataset) }) {
			names = append(names, p.Name)
		}
	}
	return names
}

func readsData(s *spec.Step, dataset string) bool {
	for _, in := range s.Inputs {
		if in.Kind == spec.InputDataset && in.Name == dataset {
			return true
		}
	}
	return false
}

// Facts are what lineage is read from: the registry, and the journal.
func (r *Registry) Facts(records map[string]journal.Record, history []journal.Entry) registry.Facts {
	cfg := &spec.Config{Environment: r.Environment}
	for i := range r.Models {
		m := &spec.Model{Name: r.Models[i].Name, Version: r.Models[i].Version}
		if digest := r.Models[i].Artifact; digest != "" {
			m.Artifact = &spec.Artifact{Digest: digest}
		}
		cfg.Models = append(cfg.Models, m)
	}
	for i := range r.Versions {
		v := r.Versions[i].Version
		v.Pos = r.Versions[i].At
		cfg.Versions = append(cfg.Versions, &v)
	}
	reads := map[string]*spec.Pipeline{}
	for _, d := range r.Datasets {
		cfg.Datasets = append(cfg.Datasets, &spec.Dataset{Name: d.Name, Digest: d.Digest})
		for _, name := range d.Pipelines {
			p := cmp.Or(reads[name], &spec.Pipeline{Name: name})
			p.Steps = append(p.Steps, &spec.Step{Name: d.Name, Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: d.Name}}})
			if reads[name] == nil {
				reads[name] = p
				cfg.Pipelines = append(cfg.Pipelines, p)
			}
		}
	}
	slices.SortFunc(cfg.Pipelines, func(a, b *spec.Pipeline) int { return cmp.Compare(a.Name, b.Name) })
	return registry.Facts{Config: cfg, Records: records, History: history}
}

// ReadRegistry reads the registry of an environment from its repository or
// directory, without a daemon. The tree is for the lines that diagnostics are about.
func ReadRegistry(ctx context.Context, c Config) (*Registry, spec.Tree, error) {
	site, err := OpenSite(ctx, c, Look)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = site.Close() }()
	snapshot, err := site.Source.Latest(ctx)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := site.Load(ctx, snapshot.Tree)
	if err != nil {
		return nil, snapshot.Tree, err
	}
	return RegistryOf(cfg, snapshot.Tree), snapshot.Tree, nil
}

// registry answers what the commit that is followed says about versions.
func (a *api) registry(w http.ResponseWriter, _ *http.Request) {
	r := a.daemon.site.registry.Load()
	if r == nil {
		writeError(w, http.StatusServiceUnavailable, a.notActing())
		return
	}
	writeJSON(w, http.StatusOK, r)
}
