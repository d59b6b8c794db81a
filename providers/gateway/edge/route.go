package edge

// RouteKey names one route of a routing table. It is how the state of a route is
// found again in the next table.
type RouteKey struct {
	Model string
	Host  string
	Path  string
}
