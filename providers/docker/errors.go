package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// explain adds to an error of the client what was attempted, and tells errors
// that pass by themselves from those that do not. ctx is the call's own.
func (r *Runtime) explain(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, reconcile.ErrUnavailable):
		return err
	case errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w: %w", what, reconcile.ErrUnavailable, context.Cause(ctx))
	case transient(err):
		return fmt.Errorf("%s at %s: %w: %w", what, r.connection.client().DaemonHost(), reconcile.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// transient tells whether an error says something about the connection or the
// engine's condition rather than about the request.
func transient(err error) bool {
	var network net.Error
	return client.IsErrConnectionFailed(err) ||
		cerrdefs.IsUnavailable(err) || cerrdefs.IsDeadlineExceeded(err) ||
		errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// withoutSecrets returns err with every secret value in its text blotted out. An
// engine quotes what it does not like, for example an environment variable.
func withoutSecrets(err error, c reconcile.ContainerSpec) error {
	if err == nil {
		return nil
	}
	text := spec.Redact(err.Error(), maps.Values(c.SecretEnv))
	text = spec.Redact(text, maps.Values(c.SecretFiles))
	if text == err.Error() {
		return err
	}
	for _, kind := range []error{reconcile.ErrUnavailable, reconcile.ErrImageNotFound, reconcile.ErrNameTaken} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%s (%w)", text, kind)
		}
	}
	return errors.New(text)
}
