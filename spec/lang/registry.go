package lang

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/mod/semver"
)

// decodeVersions decodes the entries of the registry, and checks that models do
// not say otherwise.
func (e *evaluator) decodeVersions(cfg *spec.Config) {
	for _, label := range names(e.symbols.versions) {
		m := e.decodeBlock(e.symbols.versions[label], func(n *node, m *memo) {
			if v := (section{ev: e, n: n, sc: &scope{}}).version(label); v != nil {
				m.objects = []object{{label, v}}
			}
		})
		for _, o := range m.objects {
			if v, is := o.value.(*spec.Version); is {
				cfg.Versions = append(cfg.Versions, v)
			}
		}
	}
	slices.SortFunc(cfg.Versions, compareVersions)
	entries := make(map[string]*spec.Version, len(cfg.Versions))
	for _, v := range cfg.Versions {
		entries[v.ID()] = v
	}
	for _, m := range cfg.Models {
		if m.Artifact == nil || m.Version == "" {
			continue
		}
		v := entries[m.Name+"@"+m.Version]
		if v == nil {
			continue
		}
		if _, digest, _ := strings.Cut(v.Artifact, "@"); digest != m.Artifact.Digest {
			n := e.merged(e.symbols.models[m.Address.Name])
			e.errorf(section{ev: e, n: n}.at("artifact"), n.place, "Artifact is not that of version", "%s declares version %q, whose entry at %s has another artifact:\n    the model   %s\n    the version %s\nWrite the artifact of the version, or the version of the artifact.", m.Address, m.Version, v.Pos, m.Artifact.Digest, digest)
		}
	}
}

// compareVersions orders by model, then by version, oldest first.
func compareVersions(a, b *spec.Version) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), semver.Compare("v"+a.Version, "v"+b.Version), cmp.Compare(a.Version, b.Version))
}

// version decodes one entry, or returns nil if its label names none.
func (s section) version(label string) *spec.Version {
	model, number, _ := strings.Cut(label, "@")
	if !spec.ValidName(model) || !semanticVersion.MatchString(number) {
		s.errorf(s.n.rng, "Invalid label", "The label of a version is MODEL@VERSION, such as \"digits@1.2.0\". %s", versionForm)
		return nil
	}
	v := &spec.Version{
		Model: model, Version: number, Pos: specPos(s.n.rng),
		Artifact: s.str("artifact"), Content: s.digest("content"), Created: s.time("created"),
		Pipeline: s.str("pipeline"), Run: s.str("run"), Commit: s.str("commit"), Params: s.scalars("params"), Data: s.stringMap("data"),
		Metrics: s.numbers("metrics"), Profile: s.digest("profile"), Card: s.str("card"), CardHash: s.digest("card_hash"),
		Tolerance: s.float("tolerance"), Definition: s.str("definition"),
	}
	if m := ociForm.FindStringSubmatch(v.Artifact); s.evaluates("artifact") && (m == nil || m[2] == "") {
		s.errorf(s.at("artifact"), "Invalid artifact", "%s", artifactForm)
	}
	if v.Definition != "" && !json.Valid([]byte(v.Definition)) {
		s.errorf(s.at("definition"), "Invalid JSON", "The definition is the pipeline as it was run, in JSON, and this is none. Take it back as Fairlead wrote it.")
	}
	for _, c := range s.children("step") {
		if v.Steps == nil {
			v.Steps = map[string]spec.VersionStep{}
		}
		v.Steps[c.n.label] = spec.VersionStep{Image: c.str("image"), Key: c.str("key"), Values: c.scalars("values"), Inputs: c.stringMap("inputs")}
	}
	for _, c := range s.children("gate") {
		v.Gates = append(v.Gates, c.versionGate())
	}
	return v
}

func (s section) versionGate() spec.VersionGate {
	g := spec.VersionGate{
		Name: s.n.label, Outcome: s.str("outcome"), Detail: s.str("detail"), Regulation: s.str("regulation"), Actor: s.str("actor"), Reason: s.str("reason"),
	}
	known := []string{"passed", "failed", "missing", "overridden"}
	if g.Outcome != "" && !slices.Contains(known, g.Outcome) {
		s.errorf(s.at("outcome"), "Unknown outcome", "The outcome of a gate is one of %s.%s", strings.Join(known, ", "), didYouMean(g.Outcome, known))
	}
	return g
}

// scalars reads a map of strings, numbers and bools.
func (s section) scalars(name string) map[string]any {
	members := s.elements(name)
	if len(members) == 0 {
		return nil
	}
	all := make(map[string]any, len(members))
	for key, v := range members {
		value, ok := scalar(v)
		if !ok {
			s.errorf(s.memberAt(name, key), "Wrong type", "Each value of %s is a string, a number or a bool, and this is %s.", name, kindOf(v))
			continue
		}
		all[key] = value
	}
	return all
}

// numbers reads a map of numbers.
func (s section) numbers(name string) map[string]float64 {
	members := s.elements(name)
	if len(members) == 0 {
		return nil
	}
	all := make(map[string]float64, len(members))
	for key, v := range members {
		if v.IsNull() || v.Type() != cty.Number {
			s.errorf(s.memberAt(name, key), "Wrong type", "Each value of %s is a number, and this is %s.", name, kindOf(v))
			continue
		}
		all[key], _ = v.AsBigFloat().Float64()
	}
	return all
}
