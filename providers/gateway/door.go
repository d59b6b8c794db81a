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
// must ask no less than any of them. So does the way by a fallback, except that
// who may not come in there gets the answer of the model asked for.
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

// doorsByName are those of the way by a model's name.
func (r *routing) doorsByName(model string) []door {
	for _, m := range r.table.Models {
		if m.Name == model {
			return r.doors(model, m.Routes...)
		}
	}
	return nil
}

// enter asks a request at the doors of its route who it is, or answers it. spare
// tells whether it may come in at the fallback's as well: a fallback is not a way
// around them.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, id string, to *route) (spare, ok bool) {
	now := time.Now()
	for _, d := range to.doors {
		verdict := d.auth.Authenticate(r.Header, now)
		if verdict.Outcome != edge.Allowed {
			w.Header().Set("WWW-Authenticate", verdict.Challenge)
			s.turnAway(w, http.StatusUnauthorized, id, verdict.Message)
			return false, false
		}
		// Deferred: the next door may ask for the same credentials.
		defer verdict.Strip(r.Header)
	}
	spare = true
	for _, d := range to.spareDoors {
		verdict := d.auth.Authenticate(r.Header, now)
		spare = spare && verdict.Outcome == edge.Allowed
		defer verdict.Strip(r.Header)
	}
	return spare, true
}

// pass takes the request's part of the limits of all these doors, until it ends,
// or of none of them. Then it may be worthwhile to ask again after some seconds.
func (x *exchange) pass(doors []door) (retryAfter int, ok bool) {
	before, now := len(x.held), time.Now()
	for _, d := range doors {
		free, retryAfter, passed := d.limit.Acquire(now)
		if !passed {
			x.leave(before)
			return retryAfter, false
		}
		x.held = append(x.held, free)
	}
	return 0, true
}

// leave gives back what was taken of the limits, but for the first few.
func (x *exchange) leave(keep int) {
	for _, free := range x.held[keep:] {
		free()
	}
	clear(x.held[keep:])
	x.held = x.held[:keep]
}

// admit lets the request pass the limits of its route, or answers it. A small
// body is there by then: while a client sends it, it holds nothing.
func (x *exchange) admit() bool {
	retryAfter, ok := x.pass(x.route.doors)
	if !ok {
		x.counted = true // as refused, and not as the model's
		x.answer.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		x.server.turnAway(&x.answer, http.StatusTooManyRequests, x.id, fmt.Sprintf("the route to model %s takes no more requests now; send it again after %d s", x.model.name, retryAfter))
	}
	return ok
}

// mayFallBack tells whether the fallback may answer: the caller is let in there,
// and its limits have room, which is then taken.
func (x *exchange) mayFallBack() bool {
	if x.route.fallback == nil || x.fellBack || !x.spare {
		return false
	}
	_, ok := x.pass(x.route.spareDoors)
	return ok
}

// turnAway answers a request that reaches no model. It counts as nobody's error.
func (s *Server) turnAway(w http.ResponseWriter, status int, id, message string) {
	s.metrics.refused.WithLabelValues(strconv.Itoa(status)).Inc()
	writeProblem(w, status, id, message)
}
