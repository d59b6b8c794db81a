package lang

import (
	"regexp"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// revisionForm is how revisions are written: the beginning of a hash.
var revisionForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// decodeApprovals decodes the approvals that count in the environment.
func (e *evaluator) decodeApprovals(cfg *spec.Config) {
	seen := map[spec.Approval]*node{}
	for _, n := range e.symbols.approvals {
		s := section{ev: e, n: n, sc: &scope{}}
		a := spec.Approval{Model: n.label, Revision: s.str("revision"), Step: s.integer("step"), Started: s.str("started"), Environment: s.environment("environment")}
		if a.Revision != "" && !revisionForm.MatchString(a.Revision) {
			s.errorf(s.at("revision"), "Invalid revision", "A revision is written as `fairlead status` shows it: hexadecimal digits in lower case, such as \"4f2a90b1c2d3\".")
		}
		if _, err := time.Parse(time.RFC3339Nano, a.Started); a.Started != "" && err != nil {
			s.errorf(s.at("started"), "Invalid time", "It is when the rollout began, as `fairlead status --json` has it, such as \"2026-11-21T14:00:03.250417Z\".")
		}
		if twin := seen[a]; twin != nil {
			s.errorf(n.rng, "Duplicate approval", "This step of the rollout is approved already, at %s. Remove one of the two.", specPos(twin.rng))
			continue
		}
		seen[a] = n
		if a.Environment != "" && a.Environment != e.options.Environment {
			continue
		}
		a.Pos = specPos(n.rng)
		cfg.Approvals = append(cfg.Approvals, &a)
	}
	slices.SortStableFunc(cfg.Approvals, compareApprovals)
}

// checkApprovals warns of approvals of no model, when the models of all modules are
// known.
func (e *evaluator) checkApprovals(cfg *spec.Config) {
	for _, n := range e.symbols.approvals {
		counts := slices.ContainsFunc(cfg.Approvals, func(a *spec.Approval) bool { return a.Pos == specPos(n.rng) })
		if counts && cfg.Model(n.label) == nil && e.symbols.models[n.label] == nil && !e.symbols.incomplete {
			e.warnf(n.rng, n.place, "Approval without model", "No model is served as %q, so this approves nothing.%s Remove the block if the model is gone.", n.label, didYouMean(n.label, servedNames(cfg)))
		}
	}
}

func servedNames(cfg *spec.Config) []string {
	list := make([]string, 0, len(cfg.Models))
	for _, m := range cfg.Models {
		list = append(list, m.Name)
	}
	return list
}

// environment is the one that an argument names, which must be declared.
func (s section) environment(name string) string {
	a, ok := s.address(name)
	if !ok || !s.knownEnvironment(a.Name, s.n.args.get(name).targets[0].rng) {
		return ""
	}
	if t := s.n.args.get(name).targets[0]; t.key != nil {
		s.errorf(t.rng, "Unknown instance", "An environment has no instances. Write environment.%s.", a.Name)
	}
	return a.Name
}

func (s section) knownEnvironment(name string, at hcl.Range) bool {
	if s.ev.symbols.environments[name] != nil || s.ev.symbols.incomplete || s.ev.module.include != nil { // which the root declares
		return true
	}
	known := s.ev.symbols.environmentNames()
	remedy := didYouMean(name, known)
	if remedy == "" {
		remedy = " Declare it:\n    environment \"" + name + "\" {}"
	}
	s.errorf(at, "Unknown environment", "The repo declares no environment %q.%s", name, remedy)
	s.ev.fail()
	return false
}

var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// update decodes which newer images are proposed.
func (s section) update() *spec.Update {
	c, declared := s.child("update")
	if !declared {
		return nil
	}
	u := &spec.Update{Pos: specPos(c.n.rng), Range: c.str("range"), Tag: c.str("tag"), Interval: c.duration("interval")}
	if c.has("range") == c.has("tag") {
		c.errorf(c.n.rng, "One source needed", "An update follows the highest version of a range, or a tag. Write exactly one of range and tag.")
		return u
	}
	if c.has("tag") && c.evaluates("tag") && !tagForm.MatchString(u.Tag) {
		c.errorf(c.at("tag"), "Invalid tag", "A tag of an image holds letters, digits, _, . and -, at most 128 of them, such as \"stable\".")
	}
	if c.has("range") && c.evaluates("range") {
		if _, err := semver.NewConstraint(u.Range); err != nil || len(u.Range) > 256 {
			c.errorf(c.at("range"), "Invalid version constraint", "A range is written like \"~1.2\" (1.2.x), \"^1.2\" (below 2), \">= 1.2, < 1.9\" or \"1.x\". To follow a tag that is no version, write tag.")
		}
	}
	return u
}

// decodePromotions decodes the promotions into the environment, and checks those
// into others.
func (e *evaluator) decodePromotions(cfg *spec.Config) {
	into := map[string][]*spec.Promotion{}
	for _, n := range e.symbols.promotions {
		s := section{ev: e, n: n, sc: &scope{}}
		p := s.promotion(cfg)
		s.checkPromotedOnce(p, into[p.Name])
		into[p.Name] = append(into[p.Name], p)
	}
	cfg.Promotions = into[e.options.Environment]
}

func (s section) promotion(cfg *spec.Config) *spec.Promotion {
	p := &spec.Promotion{Name: s.n.label, Pos: specPos(s.n.rng), From: s.environment("from"), After: s.duration("after")}
	s.knownEnvironment(p.Name, s.n.rng)
	if p.From == p.Name {
		s.errorf(s.at("from"), "Promotion to itself", "What runs in %s is there already. Name the environment that comes before it.", p.Name)
	}
	p.Models = s.promoted(cfg)
	exprs, facts := s.conditions("require")
	p.Require = exprs
	for _, f := range facts {
		s.knownFact(f, "from", f.word(1))
	}
	return p
}

// promoted are the models that a promotion names. One into another environment may
// be about models that this one has not.
func (s section) promoted(cfg *spec.Config) []string {
	a := s.n.args.get("models")
	if a == nil || a.broken {
		return nil
	}
	if len(a.targets) == 0 {
		s.errorf(s.at("models"), "Empty list", "The list names no model, so nothing would be promoted. Name one, or remove the argument: it is about every model then.")
	}
	var list []string
	for _, t := range a.targets {
		address, ok := s.targetAddress(a, t)
		if !ok {
			continue
		}
		r := reference{ref{root: "model", name: address.Name, key: address.Key}, t.rng}
		switch name := address.ServedName(); {
		case s.n.label == s.ev.options.Environment && !s.ev.requireModel(cfg, address, r, s.n.place):
		case s.ev.symbols.models[address.Name] == nil:
			s.ev.unknown(r, s.n.place, "model", names(s.ev.symbols.models), "Declare it, or remove the reference.")
		case slices.Contains(list, name):
			s.errorf(t.rng, "Duplicate model", "The model is in the list already. Remove one of the two.")
		default:
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// checkPromotedOnce refuses two rules for one model: which of them counts could not
// be told.
func (s section) checkPromotedOnce(p *spec.Promotion, others []*spec.Promotion) {
	for _, other := range others {
		if len(p.Models) == 0 || len(other.Models) == 0 {
			s.errorf(s.n.rng, "Promoted twice", "The block at %s promotes into %s, too, and one of the two names no models, so it is about all of them. Write in each which models it is about.", other.Pos, p.Name)
			return
		}
		for _, m := range p.Models {
			if slices.Contains(other.Models, m) {
				s.errorf(s.at("models"), "Promoted twice", "The block at %s promotes %s into %s already. Remove it from one of the two.", other.Pos, m, p.Name)
				return
			}
		}
	}
}

// conditions compiles a list of arguments each of which must be true or false, about
// the one object that is judged.
func (s section) conditions(name string) ([]expr.Expr, []factRef) {
	a := s.n.args.get(name)
	if a == nil || isNull(a.expr) {
		return nil, nil
	}
	c := s.compiler(name)
	if c == nil {
		return nil, nil
	}
	c.subject = true
	list, isList := bare(a.expr).(*hclsyntax.TupleConsExpr)
	if !isList {
		c.errorf(a.expr.Range(), "Wrong type", "%s takes a list of conditions in brackets: %s.", name, example(a.schema))
		return nil, nil
	}
	var all []expr.Expr
	for _, item := range list.Exprs {
		x := c.whole(item)
		if c.failed {
			return nil, c.facts
		}
		if !mayBeBool(x) {
			c.errorf(item.Range(), "Condition expected", "Each element of %s must be true or false, such as %s.", name, factExample(a.schema.Reads[0])+" == 0")
			return nil, c.facts
		}
		all = append(all, x)
	}
	c.warnUnlike()
	return all, c.facts
}
