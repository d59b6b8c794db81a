package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/providers/gateway/edge"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// door is what a request has to pass before it reaches a model: who may come in,
// and how many.
//
// A declared route has a door of its own. The way by a model's name passes the
// doors of all its routes, one after the other: it leads to the same place, so it
// must ask no less than any of them.
type door struct {
	auth  *edge.Authenticator // nil: everybody
	limit *edge.Limiter       // nil: any number
}

// hang makes the doors of a table from those of the table before, so that what
// stays the same keeps its state.
func (r *routing) hang(before *routing, now time.Time) error {
	auths := map[edge.RouteKey]reconcile.RoutedAuth{}
	limits := map[edge.RouteKey]spec.RouteLimit{}
	for _, m := range r.table.Models {
		for _, declared := range m.Routes {
			key := edge.RouteKey{Model: m.Name, Host: declared.Host, Path: declared.Path}
			if declared.Auth != nil {
				auths[key] = *declared.Auth
			}
			if declared.Limit != nil {
				limits[key] = *declared.Limit
			}
		}
	}
	var err error
	if r.auths, err = before.auths.Next(auths); err != nil {
		return fmt.Errorf("routing table %d cannot be put in force: %w", r.table.Version, err)
	}
	r.limits = before.limits.Next(limits, now)
	return nil
}

// doors are those of a declared route, or those of all routes of a model.
func (r *routing) doors(model string, declared ...reconcile.RoutedPath) []door {
	var doors []door
	for _, path := range declared {
		key := edge.RouteKey{Model: model, Host: path.Host, Path: path.Path}
		one := door{auth: r.auths.Of(key), limit: r.limits[key]}
		if one != (door{}) && !slices.Contains(doors, one) {
			doors = append(doors, one)
		}
	}
	return doors
}

// enter lets a request pass the doors of its route, or answers it. Whoever may
// not come in takes nothing from the limits. release is called when the request
// is over.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, id string, to *route) (release func(), ok bool) {
	now := time.Now()
	for _, d := range to.doors {
		verdict := d.auth.Authenticate(r.Header, now)
		if verdict.Outcome != edge.Allowed {
			w.Header().Set("WWW-Authenticate", verdict.Challenge)
			s.turnAway(w, http.StatusUnauthorized, id, verdict.Message)
			return nil, false
		}
		// Deferred: the next door may ask for the same credentials.
		defer verdict.Strip(r.Header)
	}
	var held []func()
	release = func() {
		for _, free := range held {
			free()
		}
	}
	for _, d := range to.doors {
		free, retryAfter, passed := d.limit.Acquire(now)
		if !passed {
			release()
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
			s.turnAway(w, http.StatusTooManyRequests, id, fmt.Sprintf("the route to model %s takes no more requests now; send it again after %d s", to.model.name, retryAfter))
			return nil, false
		}
		if len(to.doors) == 1 {
			return free, true // needs no list, so it allocates nothing
		}
		held = append(held, free)
	}
	return release, true
}

// turnAway answers a request that reaches no model. It counts as nobody's error.
func (s *Server) turnAway(w http.ResponseWriter, status int, id, message string) {
	s.metrics.refused.WithLabelValues(strconv.Itoa(status)).Inc()
	writeProblem(w, status, id, message)
}
