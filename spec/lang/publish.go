package lang

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func (d *pipelineDecoder) decodeGates() {
	for _, c := range d.children("gate") {
		g := &spec.Gate{
			Name: c.n.label, Pos: specPos(c.n.rng), Level: spec.GateLevel(c.keyword("level")), Message: c.str("message"), Regulation: c.str("regulation"),
		}
		require, facts := c.condition("require", false)
		g.Require = require
		for _, f := range facts {
			d.checkFact(c, f, nil)
		}
		if require.Op != "" && len(facts) == 0 {
			d.ev.warnf(c.at("require"), c.n.place, "Gate without evidence", "The condition reads no fact, so every run has the same outcome. Refer to what the run finds out, such as step.NAME.metrics.METRIC.")
		}
		d.p.Gates = append(d.p.Gates, g)
	}
	slices.SortFunc(d.p.Gates, func(a, b *spec.Gate) int { return cmp.Compare(a.Name, b.Name) })
}

func (d *pipelineDecoder) publish() *spec.Publish {
	c, declared := d.child("publish")
	if !declared {
		return nil
	}
	p := &spec.Publish{
		Pos: specPos(c.n.rng), Card: c.cardPath(), Registry: c.registry(), Tolerance: c.float("tolerance"), Tags: c.boolean("tags"),
	}
	p.Model = d.published(c, p)
	if in := d.one(c, "artifact"); in != nil {
		p.Artifact = *in
	}
	p.Profile = d.one(c, "profile")
	p.Metrics = d.metricsOf(c)
	p.Bump, p.Version = d.version(c)
	if p.Bump != "" {
		d.checkBump(c, p.Model)
	}
	return p
}

// published is the model that a run makes a version of.
func (d *pipelineDecoder) published(c section, p *spec.Publish) spec.Address {
	a, ok := c.address("model")
	if !ok || !d.requireModel(a, reference{ref{root: "model", name: a.Name, key: a.Key}, c.n.args.get("model").targets[0].rng}) {
		return a
	}
	if m := d.cfg.Model(a.ServedName()); m != nil && m.Card != nil && p.Card == "" {
		p.Card = m.Card.Path
	}
	d.checkEditable(c, a)
	return a
}

// checkEditable makes sure that publishing can write into the model's block: that
// shows now, and not when a model has been trained for hours.
func (d *pipelineDecoder) checkEditable(c section, a spec.Address) {
	base := d.ev.symbols.models[a.Name]
	if base == nil {
		return
	}
	n := d.ev.merged(base)
	at := c.n.args.get("model").targets[0].rng
	switch name := editProblem(n); name {
	case "":
	case "for_each":
		c.errorf(at, "Version is not the model's own", "model.%s (at %s) has for_each, so its version and artifact are those of all instances, and publishing could not change one. Give the model that is made here a block of its own.", a.Name, specPos(n.rng))
	default:
		c.errorf(at, "Version is computed", "Publishing writes version and artifact into the block of model.%s, and %s (at %s) is an expression. Write it there as plain text.", a.Name, name, specPos(n.args.get(name).rng))
	}
}

// editProblem is the argument of a model that keeps version and artifact from being
// changed in place, or "".
func editProblem(n *node) string {
	if n.args.get("for_each") != nil {
		return "for_each"
	}
	for _, name := range []string{"version", "artifact"} {
		a := n.args.get(name)
		if a != nil && !a.broken && !isNull(a.expr) && quoted(bare(a.expr)) == "" {
			return name
		}
	}
	return ""
}

// one is the single output that an argument names.
func (d *pipelineDecoder) one(c section, name string) *spec.Input {
	a := c.n.args.get(name)
	switch {
	case a == nil && c.n.schema.Argument(name).Required:
		c.missing(c.n.schema.Argument(name))
		return nil
	case a == nil || a.broken || len(a.targets) == 0:
		return nil
	}
	in, ok := d.input(c, a, a.targets[0], nil)
	if !ok {
		return nil
	}
	return &in
}

// metricsOf is the step or the selection whose metrics are those of the version.
func (d *pipelineDecoder) metricsOf(c section) *spec.Input {
	a := c.n.args.get("metrics")
	if a == nil || a.broken || len(a.targets) == 0 {
		return nil
	}
	t := a.targets[0]
	d.checkFact(c, factRef{path: []string{t.kind, t.name, "metrics"}, name: t.name, rng: t.rng}, nil)
	return &spec.Input{Kind: spec.InputKind(t.kind), Name: t.name}
}

// version is how the version moves on, or the expression of it.
func (d *pipelineDecoder) version(c section) (spec.VersionBump, expr.Expr) {
	a := c.n.args.get("version")
	switch {
	case a == nil || !a.broken && isNull(a.expr):
		return spec.BumpPatch, expr.Expr{}
	case len(a.keywords) > 0:
		return spec.VersionBump(a.keywords[0].word), expr.Expr{}
	}
	k := c.compiler("version")
	if k == nil {
		return "", expr.Expr{}
	}
	x := k.whole(a.expr)
	for _, f := range k.facts {
		d.checkFact(c, f, nil)
	}
	text, isText := x.Value.(string)
	_, isNumber := bare(a.expr).(*hclsyntax.LiteralValueExpr)
	switch {
	case k.failed || x.Op != expr.Literal:
	case isNumber || !isText:
		c.errorf(a.expr.Range(), "Wrong type", "version takes patch, minor or major, or text. Put a version in quotes: as a number, 1.10 is the same as 1.1.")
	case !semanticVersion.MatchString(text):
		c.errorf(a.expr.Range(), "Invalid version", "%s For how it moves on write patch, minor or major.", versionForm)
	}
	return "", x
}

const versionForm = "A version of the registry is MAJOR.MINOR.PATCH, without a leading v, such as \"1.4.0\" (semver.org)."

// semanticVersion is the expression of semver.org.
var semanticVersion = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

// checkBump makes sure that there is a version to move on from.
func (d *pipelineDecoder) checkBump(c section, a spec.Address) {
	m := d.cfg.Model(a.ServedName())
	if m == nil || m.Address != a || m.Version == "" || semanticVersion.MatchString(m.Version) {
		return
	}
	at := c.n.rng
	if c.n.args.get("version") != nil {
		at = c.at("version")
	}
	c.errorf(at, "Version cannot move on", "%s (at %s) has the version %q. %s Change it there, or write an expression for the version here.", a, m.Pos, m.Version, versionForm)
}

// registryForm is oci://HOST[:PORT]/REPOSITORY.
func (s section) registry() string {
	text := s.str("registry")
	if text == "" {
		return ""
	}
	if m := ociForm.FindStringSubmatch(text); m == nil || m[1] != "" || m[2] != "" {
		s.errorf(s.at("registry"), "Invalid registry", "A registry is oci://HOST/REPOSITORY in lower case, without tag and digest: those follow from the version.")
	} else {
		s.checkPublished(text)
	}
	return text
}
