package edge

import (
	"cmp"
	"fmt"
)

// RouteKey names one route of a routing table. It is how the state of a route is
// found again in the next table.
type RouteKey struct {
	Model string
	Host  string // "" for every host
	Path  string
}

// String writes the route as people know it.
func (k RouteKey) String() string {
	return fmt.Sprintf("%s%s of model %s", k.Host, k.Path, k.Model)
}

func (k RouteKey) compare(o RouteKey) int {
	return cmp.Or(cmp.Compare(k.Model, o.Model), cmp.Compare(k.Host, o.Host), cmp.Compare(k.Path, o.Path))
}
