package oip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Versioned paths. A server without them is in order: the protocol lets it choose
// the version.

func (c *conversation) versionPath(version string) string {
	return modelPath(c.model) + "/versions/" + url.PathEscape(version)
}

func testVersionMetadata(ctx context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	if len(m.versions) == 0 {
		return skip("the metadata list no versions")
	}
	x, err := c.get(ctx, c.versionPath(m.versions[0]))
	switch x.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return skip("the server does not offer versioned paths: it answers %d", x.status)
	}
	if err != nil {
		return err
	}
	c.versions = true
	version, err := parseModelMetadata(x.body)
	if err == nil && version.name != c.model {
		err = fmt.Errorf("the version is of %q, and the model is %q", shorten(version.name, 60), c.model)
	}
	return err
}

var errUnversioned = errors.New("versioned paths are not offered, or the version was not found")

// version returns the version to try, or skips.
func (c *conversation) version() (string, error) {
	if !c.versions {
		return "", skip("%v", errUnversioned)
	}
	return c.metadata.model.versions[0], nil
}

func testVersionReady(ctx context.Context, c *conversation) error {
	version, err := c.version()
	if err != nil {
		return err
	}
	return c.modelReady(ctx, c.versionPath(version)+"/ready")
}

func testVersionInfer(ctx context.Context, c *conversation) error {
	version, err := c.version()
	if err != nil {
		return err
	}
	if c.plain == nil {
		return skip("no plain inference was answered")
	}
	x, err := c.infer(ctx, c.versionPath(version)+"/infer", c.plain.request)
	if err != nil {
		return err
	}
	answer, err := parseInferResponse(x.body)
	if err != nil {
		return err
	}
	got := version
	if err := answer.fields.may("model_version", &got); err != nil {
		return err
	}
	if got != version {
		return fmt.Errorf("version %q was asked, and model_version is %q", shorten(version, 60), shorten(got, 60))
	}
	return nil
}

func testVersionUnknown(ctx context.Context, c *conversation) error {
	if _, err := c.version(); err != nil {
		return err
	}
	return c.refused(ctx, http.MethodGet, c.versionPath(noSuch), nil)
}
