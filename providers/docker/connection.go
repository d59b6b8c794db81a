package docker

import (
	"context"
	"sync/atomic"

	"github.com/docker/docker/client"
)

// connection is the client of an engine. A client settles on a version of the API
// once; an engine that is upgraded while Fairlead runs may drop that version. So
// the client is replaced when the engine behind the socket has become another.
type connection struct {
	choices []client.Opt
	current atomic.Pointer[client.Client]
}

func newConnection(choices ...client.Opt) (*connection, error) {
	c := &connection{choices: choices}
	api, err := client.NewClientWithOpts(choices...)
	if err != nil {
		return nil, err
	}
	c.current.Store(api)
	return c, nil
}

// client returns the client to use for one call.
func (c *connection) client() *client.Client { return c.current.Load() }

// renew asks the engine which version it speaks, and replaces the client if it is
// not the one that the client has settled on.
func (c *connection) renew(ctx context.Context) error {
	old := c.client()
	answer, err := old.Ping(ctx)
	if err != nil {
		return err
	}
	fresh, err := client.NewClientWithOpts(c.choices...)
	if err != nil {
		return err
	}
	fresh.NegotiateAPIVersionPing(answer)
	if fresh.ClientVersion() == old.ClientVersion() || !c.current.CompareAndSwap(old, fresh) {
		return fresh.Close()
	}
	return old.Close()
}

// close releases the idle connections.
func (c *connection) close() error { return c.client().Close() }
