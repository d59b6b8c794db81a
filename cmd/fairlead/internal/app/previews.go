package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/providers/download"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/runner"
)

// previews says of each pipeline that could run otherwise than before what of a run would
// come from the cache. Options without a store say that this was not asked for.
func previews(ctx context.Context, r *review.Report, options *runner.Options, wanted *runner.Wanted, live map[string]string) {
	touched := review.Touched(wanted.Config, r.Declared)
	if len(touched) > 0 && options.Store == nil {
		r.Notes = append(r.Notes, "what a run would take from the cache is shown with --preview, which fetches its data")
		return
	}
	for _, pipeline := range touched {
		preview, err := runner.Preview(ctx, options, wanted, pipeline, nil, live)
		if err != nil {
			r.Notes = append(r.Notes, fmt.Sprintf("what a run of %s would do is not known: %v", pipeline.Name, err))
			continue
		}
		r.Pipelines = append(r.Pipelines, *preview)
	}
}

func previewsUnknown(err error) string {
	return fmt.Sprintf("what runs of the pipelines would do is not known: %v", err)
}

// openPreviews is for who does not run pipelines, and only looks at the runs of the
// daemon: what has to be fetched for that goes to a place of its own, which done removes.
// The options are nil where nothing ever ran, and have no store where nothing may be
// fetched.
func (s *Site) openPreviews() (options *runner.Options, done func() error, err error) {
	c := s.Config
	none := func() error { return nil }
	kept := filepath.Join(c.Data, "artifacts")
	for _, dir := range []string{kept, filepath.Join(c.Data, "runs")} {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || s.NewKey {
			return nil, none, nil
		}
	}
	if !c.Previews {
		return &runner.Options{}, none, nil
	}
	store, err := runstore.New(c.Data)
	if err != nil {
		return nil, none, err
	}
	place, err := os.MkdirTemp("", "fairlead-plan-")
	if err != nil {
		return nil, none, fmt.Errorf("make a place to work in: %w", err)
	}
	looked := &lookedArtifacts{}
	done = func() error {
		looked.close()
		return os.RemoveAll(place)
	}
	if looked.Store, err = oci.New(oci.Options{Dir: place, DockerConfig: c.DockerConfig, Insecure: c.InsecureRegistries}); err == nil {
		looked.kept, err = oci.New(oci.Options{Dir: kept})
	}
	if err != nil {
		return nil, none, errors.Join(err, done())
	}
	return &runner.Options{
		Scope: c.scope(), Runtime: s.Runtime, Artifacts: looked, Store: store, Secrets: s.Binder.Secrets,
		SecretVersion: s.Binder.SecretVersion, Download: &download.Client{}, PublicDownload: &download.Client{Public: true},
	}, done, nil
}

// lookedArtifacts reads what a daemon keeps, and keeps what it gets itself elsewhere.
type lookedArtifacts struct {
	*oci.Store
	kept *oci.Store
}

func (l *lookedArtifacts) close() {
	for _, store := range []*oci.Store{l.Store, l.kept} {
		if store != nil {
			store.Close()
		}
	}
}

// Lookup implements reconcile.Artifacts.
func (l *lookedArtifacts) Lookup(ctx context.Context, digest string) (reconcile.Content, error) {
	content, err := l.Store.Lookup(ctx, digest)
	if errors.Is(err, reconcile.ErrNoContent) {
		return l.kept.Lookup(ctx, digest)
	}
	return content, err
}

// Open implements reconcile.Artifacts.
func (l *lookedArtifacts) Open(ctx context.Context, digest, path string) (io.ReadCloser, error) {
	body, err := l.Store.Open(ctx, digest, path)
	if errors.Is(err, reconcile.ErrNoContent) {
		return l.kept.Open(ctx, digest, path)
	}
	return body, err
}

// decidedVersions are the versions that take the traffic by the journal that a daemon left
// here; nil where that is not known.
func (s *Site) decidedVersions(ctx context.Context) map[string]string {
	records, err := s.decided(ctx, time.Now())
	if err != nil || records == nil {
		return nil
	}
	live := map[string]string{}
	for name := range records {
		if stable := records[name].Stable; stable != nil {
			live[name] = stable.Version
		}
	}
	return live
}
