package reconcile

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/spec"
)

// Inspector talks to one replica before it takes any traffic, straight and not
// through the gateway. The address is ip:port in the network of the environment.
//
// All calls are safe for concurrent use and end in bounded time. Repeating one
// does no harm.
type Inspector interface {
	// Verify compares what the server says about itself with the signature that
	// the model declares, names, datatypes and shapes. A difference is an error
	// that wraps ErrContract and names each; any other error may pass by itself.
	Verify(ctx context.Context, address string, m *spec.Model) error
	// WarmUp sends the recorded request of the model, as often as it declares. An
	// answer that is no success is an error that wraps ErrContract.
	WarmUp(ctx context.Context, address string, m *spec.Model) error
}

// ErrContract: the server is not what the model declares. Asking again will not
// change that.
var ErrContract = errors.New("the server is not what the model declares")
