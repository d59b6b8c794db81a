package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/fairlead/fairlead/reconcile"
)

// pull fetches a pinned image. The engine verifies the digest.
func (r *Runtime) pull(ctx context.Context, img reconcile.Image, progress func(reconcile.PullProgress)) error {
	named, err := reference.ParseNormalizedNamed(img.Pin)
	if err != nil {
		return fmt.Errorf("pull image %s: %w", img.Ref, err)
	}
	auth, err := r.credentials(ctx, named)
	if err != nil {
		return fmt.Errorf("pull image %s: %w", img.Ref, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(pullIdleLimit, func() { cancel(errIdle) })
	defer idle.Stop()

	what := "pull image " + img.Pin
	body, err := r.connection.client().ImagePull(ctx, named.String(), image.PullOptions{RegistryAuth: auth})
	if err == nil {
		alive := func() { idle.Reset(pullIdleLimit) }
		err = errors.Join(followPull(body, img.Ref, alive, progress), body.Close())
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errIdle):
		return fmt.Errorf("%s: %w: %w", what, reconcile.ErrUnavailable, errIdle)
	case cerrdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", what, reconcile.ErrImageNotFound, err)
	case cerrdefs.IsUnauthorized(err), cerrdefs.IsPermissionDenied(err):
		return fmt.Errorf("%s: %w; log in with docker login %s", what, err, reference.Domain(named))
	}
	return r.explain(ctx, what, err)
}

var errIdle = fmt.Errorf("the registry sent nothing for %s", pullIdleLimit)

// streamMessage is one message of the engine's streams of progress.
type streamMessage struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error  string `json:"error"`
	Detail struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// err is the failure that a message reports: a stream begins with status 200
// before anybody knows how it ends.
func (m streamMessage) err() error {
	switch {
	case m.Detail.Message != "":
		return errors.New(m.Detail.Message)
	case m.Error != "":
		return errors.New(m.Error)
	}
	return nil
}

// followPull reads the stream of a pull to its end and adds up the layers.
func followPull(body io.Reader, ref string, alive func(), progress func(reconcile.PullProgress)) error {
	type layer struct{ done, total int64 }
	layers := make(map[string]layer)
	messages := json.NewDecoder(body)
	for {
		var m streamMessage
		if err := messages.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		alive()
		if err := m.err(); err != nil {
			return err
		}
		l := layers[m.ID]
		switch m.Status {
		case "Downloading":
			l = layer{m.Progress.Current, m.Progress.Total}
		case "Download complete":
			l.done = l.total
		default:
			continue
		}
		layers[m.ID] = l
		if progress == nil {
			continue
		}
		sum := reconcile.PullProgress{Image: ref}
		for _, l := range layers {
			sum.Done += l.done
			sum.Total += l.total
		}
		progress(sum)
	}
}

// credentials returns the user's login for the registry of an image in the form
// that the engine expects, "" if there is none. A credential helper is a program
// of its own, so it gets a deadline too.
func (r *Runtime) credentials(ctx context.Context, named reference.Named) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, registryLimit)
	defer cancel()
	type answer struct {
		auth string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		auth, err := r.readCredentials(reference.Domain(named))
		answers <- answer{auth, err}
	}()
	select {
	case a := <-answers:
		return a.auth, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("the credential helper of the docker configuration did not answer: %w", ctx.Err())
	}
}

func (r *Runtime) readCredentials(domain string) (string, error) {
	dir := r.options.DockerConfig
	if dir == "" {
		dir = defaultDockerConfig()
	}
	file, err := config.Load(dir)
	if err != nil {
		return "", fmt.Errorf("read the docker configuration: %w", err)
	}
	key := domain
	if domain == "docker.io" { // stored under its oldest address
		key = "https://index.docker.io/v1/"
	}
	login, err := file.GetAuthConfig(key)
	if err != nil {
		return "", fmt.Errorf("read the login for %s from the docker configuration: %w", domain, err)
	}
	if login.Username == "" && login.Password == "" && login.Auth == "" && login.IdentityToken == "" && login.RegistryToken == "" {
		return "", nil
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username: login.Username, Password: login.Password, Auth: login.Auth,
		ServerAddress: login.ServerAddress, IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken,
	})
}
