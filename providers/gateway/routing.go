package gateway

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/providers/gateway/edge"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// modelsPath is where Open Inference models are found by name.
const modelsPath = "/v2/models/"

// routing is a table made ready to be followed. It never changes once it is in
// force; a swap replaces the pointer to it. What does change, health and load,
// is in the replicas, which tables share.
type routing struct {
	table    reconcile.Table
	models   map[string]*model
	hosts    map[string]*prefixTree // routes of one host
	anyHost  *prefixTree            // routes of every host, and /v2/models/NAME
	replicas map[string]*replica    // by container id, of every weight, draining or not
	served   []string               // names of the Open Inference models, sorted
	auths    edge.Authenticators
	limits   edge.Limiters
}

// matchHost returns the route of a request among those of its host, or nil.
func (r *routing) matchHost(host, path string) *route {
	if len(r.hosts) == 0 {
		return nil
	}
	return r.hosts[canonicalHost(host)].find(path)
}

// known tells whether every replica that is probed at all has been so once.
func (r *routing) known() bool {
	for _, one := range r.replicas {
		if !one.resting.Load() && !one.probed() {
			return false
		}
	}
	return true
}

// compiler makes tables ready. It takes replicas over from the routing before
// and changes none of them, so it may work while requests run.
type compiler struct {
	before  *routing
	metrics *metrics
	board   *board
	connect time.Duration
}

// compile fails for what only shows when it is put to use, such as a key that no
// token can be verified with.
func (c compiler) compile(table reconcile.Table) (*routing, error) {
	next := &routing{
		table:    table,
		models:   make(map[string]*model, len(table.Models)),
		hosts:    map[string]*prefixTree{},
		anyHost:  &prefixTree{},
		replicas: map[string]*replica{},
		served:   []string{},
	}
	if err := next.hang(c.before, time.Now()); err != nil {
		return nil, err
	}
	for _, routed := range table.Models {
		next.models[routed.Name] = c.model(routed, next.replicas)
	}
	for _, routed := range table.Models {
		next.addRoutes(routed)
	}
	// What a model has declared itself stands before what it gets by its name.
	for _, routed := range table.Models {
		if routed.Protocol == spec.OpenInference {
			next.anyHost.add(&route{
				model: next.models[routed.Name], prefix: modelsPath + routed.Name,
				doors: next.doors(routed.Name, routed.Routes...),
			})
			next.served = append(next.served, routed.Name)
		}
	}
	return next, nil
}

func (c compiler) model(routed reconcile.RoutedModel, replicas map[string]*replica) *model {
	m := &model{
		name: routed.Name, oip: routed.Protocol == spec.OpenInference,
		lasting: &lasting{}, unserved: c.metrics.series(routed.Name, ""),
		outputs: routed.Outputs,
		guarded: slices.ContainsFunc(routed.Routes, func(p reconcile.RoutedPath) bool { return p.Auth != nil }),
	}
	if old := c.before.models[routed.Name]; old != nil {
		m.lasting = old.lasting
	}
	for _, listed := range routed.Revisions {
		rev := &revision{name: listed.Revision, model: m, weight: listed.Weight, series: c.metrics.series(routed.Name, listed.Revision)}
		for _, container := range listed.Replicas {
			one := c.replica(container)
			if one.model == "" { // new: nobody else knows it yet
				one.model, one.revision = routed.Name, listed.Revision
			}
			replicas[container.ID] = one
			if !container.Drain && !container.Cold {
				rev.replicas = append(rev.replicas, one)
			}
		}
		if rev.weight > 0 {
			m.revisions = append(m.revisions, rev)
		}
		if rev.name == routed.Candidate {
			m.candidate = rev
		}
	}
	slices.SortStableFunc(m.revisions, func(a, b *revision) int { return cmp.Compare(b.weight, a.weight) })
	weights := make([]int, len(m.revisions))
	for i, rev := range m.revisions {
		weights[i] = rev.weight
	}
	m.schedule = spread(weights)
	m.callers(routed)
	return m
}

// callers prepares what depends on who calls.
func (m *model) callers(routed reconcile.RoutedModel) {
	if routed.Match != nil {
		m.match, m.wanted = newCaller(routed.Match.Header, routed.Match.Cookie), routed.Match.Value
	}
	if m.candidate != nil {
		m.mirror = routed.Mirror
	}
	if routed.Sticky != nil && m.candidate != nil && len(m.revisions) > 0 {
		m.sticky = newCaller(routed.Sticky.Header, routed.Sticky.Cookie)
		m.places = lay(m.revisions, m.candidate)
	}
}

// takes tells whether a revision gets requests by the table: those of its weight,
// or as the candidate those that match and copies.
func takes(m *reconcile.RoutedModel, rev *reconcile.RoutedRevision) bool {
	return rev.Weight > 0 || rev.Revision == m.Candidate && (m.Match != nil || m.Mirror != nil)
}

// replica finds the one that the routing before has for the same container at
// the same address, or makes one. A container that came back with another
// address keeps the count of its open requests, nothing else.
func (c compiler) replica(listed reconcile.RoutedReplica) *replica {
	one := c.before.replicas[listed.ID]
	switch {
	case one == nil:
		return newReplica(listed.ID, listed.Address, new(atomic.Int64), c.board, c.connect)
	case one.address != listed.Address:
		return newReplica(listed.ID, listed.Address, one.load, c.board, c.connect)
	}
	return one
}

func (r *routing) addRoutes(routed reconcile.RoutedModel) {
	for _, declared := range routed.Routes {
		tree := r.anyHost
		if declared.Host != "" {
			host := canonicalHost(declared.Host)
			if r.hosts[host] == nil {
				r.hosts[host] = &prefixTree{}
			}
			tree = r.hosts[host]
		}
		tree.add(&route{
			model: r.models[routed.Name], prefix: declared.Path, strip: declared.Strip,
			timeout: declared.Timeout, fallback: r.models[declared.Fallback],
			doors: r.doors(routed.Name, declared), spareDoors: r.doorsByName(declared.Fallback),
		})
	}
}
