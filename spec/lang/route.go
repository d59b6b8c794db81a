package lang

import (
	"math"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

type fallback struct {
	address spec.Address
	route   *node
}

func (s section) routes() (routes []spec.Route, fallbacks []fallback) {
	for _, c := range s.children("route") {
		r := spec.Route{
			Host: c.routeHost(), Path: c.routePath(), Strip: c.boolean("strip"), Timeout: c.duration("timeout"),
			Limit: c.limit(), Auth: c.auth(), Pos: specPos(c.n.rng),
		}
		if address, named := c.address("fallback"); named {
			r.Fallback = address.ServedName()
			fallbacks = append(fallbacks, fallback{address, c.n})
		}
		routes = append(routes, r)
	}
	return routes, fallbacks
}

func (s section) routeHost() string {
	host := s.str("host")
	if host == "" {
		return ""
	}
	if err := spec.CheckHost(host); err != nil {
		s.errorf(s.at("host"), "Invalid host", "A request could never match this host: %v.", err)
	}
	return host
}

// routePath is the path in its one form, or empty where it has none. A / at the
// end is how many people mark a prefix, so it may stand.
func (s section) routePath() string {
	v, ok := s.typed("path")
	if !ok || v.IsNull() {
		return ""
	}
	path := v.AsString()
	if trimmed := strings.TrimRight(path, "/"); path == trimmed+"/" && trimmed != "" {
		path = trimmed
	}
	if err := spec.CheckRoutePath(path); err != nil {
		s.errorf(s.at("path"), "Invalid path", "This path cannot be routed: %v.", err)
		return ""
	}
	return path
}

func (s section) limit() *spec.RouteLimit {
	c, declared := s.child("limit")
	if !declared {
		return nil
	}
	l := &spec.RouteLimit{Rate: c.float("rate"), Burst: c.integer("burst"), Concurrency: c.integer("concurrency")}
	switch {
	case !c.has("rate") && !c.has("concurrency"):
		c.errorf(c.n.rng, "Limit without bound", "This block limits nothing. Write rate for requests per second, concurrency for requests at a time, or both.")
	case !c.has("rate") && c.has("burst"):
		c.errorf(c.at("burst"), "Contradictory arguments", "burst is how far requests may be above rate for a moment, and there is no rate. Write rate too, or remove the argument.")
	case c.has("rate") && !c.has("burst"):
		l.Burst = max(int(math.Ceil(l.Rate)), 1)
	}
	return l
}

// auth decodes who may use a route. A block that lets nobody in, or everybody,
// is never what was meant.
func (s section) auth() *spec.RouteAuth {
	c, declared := s.child("auth")
	if !declared {
		return nil
	}
	a := &spec.RouteAuth{APIKeys: c.secretList("api_keys"), JWT: c.jwt()}
	if !c.has("api_keys") && a.JWT == nil {
		c.errorf(c.n.rng, "Nobody admitted", "This block says that not everybody may use the route, and not who may. Write api_keys = [secret.NAME], a jwt block, or both; without auth the route is open to everybody.")
	}
	return a
}

func (s section) jwt() *spec.JWT {
	c, declared := s.child("jwt")
	if !declared {
		return nil
	}
	j := &spec.JWT{Issuer: c.str("issuer"), Audience: c.str("audience")}
	for _, name := range []string{"issuer", "audience"} {
		if v, ok := c.typed(name); ok && v.AsString() == "" {
			c.errorf(c.at(name), "Empty argument", "No token is good without %s, so it cannot be empty. Write what the login service puts into its tokens.", name)
		}
	}
	v, ok := c.typed("keys")
	if !ok {
		return j
	}
	keys, err := spec.PublicKeys([]byte(v.AsString()))
	if err != nil {
		c.errorf(c.at("keys"), "Invalid key set", "Tokens cannot be checked with this key set: %v.", err)
	}
	j.Keys = keys
	return j
}

// secretList is the names of secrets that an argument lists.
func (s section) secretList(name string) []string {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return nil
	}
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		p := wrongType(s.n.schema.Argument(name), v, "Write it in brackets: [secret.NAME].")
		s.errorf(s.at(name), p.summary, "%s", p.detail)
		return nil
	}
	if v.LengthInt() == 0 {
		s.errorf(s.at(name), "Empty list", "The list names no secret, so nobody could come in by it. Write %s = [secret.NAME], or remove the argument.", name)
	}
	list := make([]string, 0, v.LengthInt())
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		at := s.itemAt(name, len(list))
		secret, isSecret := secretOf(item)
		switch {
		case !isSecret:
			s.errorf(at, "Secret expected", "Each element names a secret: write secret.NAME, and declare it with a secret block. A value written here would be readable for everybody who can read the repo.")
		case seen[secret]:
			s.errorf(at, "Duplicate secret", "The secret is in the list already. Remove one of the two.")
		}
		seen[secret] = true
		list = append(list, secret)
	}
	return list
}

// itemAt is where an element of a list argument stands, or the argument where
// the list is made by other means.
func (s section) itemAt(name string, i int) hcl.Range {
	a := s.n.args.get(name)
	if a == nil || a.expr == nil {
		return s.at(name)
	}
	list, isList := hcl.UnwrapExpression(a.expr).(*hclsyntax.TupleConsExpr)
	if !isList || i >= len(list.Exprs) {
		return s.at(name)
	}
	return list.Exprs[i].Range()
}
