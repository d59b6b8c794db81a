package reconcile

import (
	"context"
	"errors"
	"io"
	"time"
)

// LocalRegistry is the host of a reference that means the daemon's own store:
// oci://local/digits@sha256:...
const LocalRegistry = "local"

// Artifacts keeps files by the digest of what is in them: an OCI image layout on
// the daemon's host, and OCI registries.
//
// What has been put is never changed. Every byte that comes out has been compared
// with its digest: content that does not match its digest is an error that wraps
// ErrTampered, and never reaches a container. All calls are safe for concurrent
// use, also by two processes on one store, and end in bounded time.
type Artifacts interface {
	// Put stores the regular files below dir, by their paths, sizes, content and
	// whether they may be executed; nothing else about them counts, so equal files
	// have an equal digest on every machine and at any time. Symbolic links, devices
	// and names that spec.CheckFileName refuses are errors that wrap ErrNotStorable.
	// A directory without files gives the digest of nothing: Files is 0.
	Put(ctx context.Context, dir string) (Content, error)
	// PutFile stores one file with that content.
	PutFile(ctx context.Context, name string, content io.Reader) (Content, error)
	// Lookup describes content that is in the store; the error wraps
	// ErrNoContent if it is not.
	Lookup(ctx context.Context, digest string) (Content, error)
	// Checkout returns a directory of this host with the files of the content, for
	// a read-only mount: readable by everybody, writable by nobody. It is made once
	// and verified, and stays until Collect finds that nothing needs it.
	Checkout(ctx context.Context, digest string) (dir string, err error)
	// Open reads one file of the content, verified to its end.
	Open(ctx context.Context, digest, path string) (io.ReadCloser, error)

	// Resolve asks what a reference means now, oci://HOST/REPOSITORY:TAG or
	// @DIGEST: the digest of the manifest. One with a digest costs no call.
	Resolve(ctx context.Context, ref string) (digest string, err error)
	// Fetch makes the artifact that a reference with a digest names available in the
	// store. One that is there costs no call.
	Fetch(ctx context.Context, ref string) (Content, error)
	// Publish stores a model as a ModelPack artifact with its referrers, and pushes
	// it where it belongs. Doing it again gives the same digest and pushes nothing.
	Publish(ctx context.Context, m ModelPackage) (Published, error)
	// Referrers lists what is attached to an artifact, of the type, or of any.
	Referrers(ctx context.Context, ref, artifactType string) ([]Referrer, error)

	// Collect removes what no digest of keep needs, unless it was stored or used
	// after the given time, and returns the bytes that were freed. Nothing
	// that is being stored or read meanwhile is taken.
	Collect(ctx context.Context, keep map[string]bool, before time.Time) (freed int64, err error)
}

// Errors of Artifacts that a caller decides by. What may pass by itself, such as a
// registry that is away, wraps ErrUnavailable.
var (
	ErrNoContent   = errors.New("no such content")
	ErrTampered    = errors.New("the content does not match its digest")
	ErrNotStorable = errors.New("only regular files can be stored")
)

// Content describes files in the store.
type Content struct {
	Digest string `json:"digest"` // sha256:HEX of the manifest, that follows from the files alone
	Files  int    `json:"files"`
	Size   int64  `json:"size"` // bytes of all files
}

// ModelPackage is a model to be published.
type ModelPackage struct {
	// Registry is oci://HOST/REPOSITORY; "" stores it in this store only, as
	// oci://local/NAME.
	Registry string
	Name     string // of the model
	Version  string // semantic version; also its tag
	Content  string // digest of the files, that are in this store
	Created  time.Time
	Licenses []string
	// Annotations are added to the manifest: the commit, the run.
	Annotations map[string]string
	// Attached are its referrers, by artifact type.
	Attached []Attachment
}

// Attachment is a document that refers to an artifact: metrics, lineage, profile.
type Attachment struct {
	ArtifactType string
	MediaType    string
	Data         []byte
}

// Types of the attachments that Fairlead writes.
const (
	ArtifactMetrics   = "application/vnd.fairlead.metrics.v1+json"
	ArtifactLineage   = "application/vnd.fairlead.lineage.v1+json" // spec.Version
	ArtifactProfile   = "application/vnd.fairlead.profile.v1+json"
	ArtifactSignature = "application/vnd.fairlead.signature.v1+json" // spec.Signature
)

// Published is where a model is now.
type Published struct {
	Ref    string `json:"ref"`    // oci://HOST/REPOSITORY@sha256:HEX
	Digest string `json:"digest"` // sha256:HEX
	Pushed bool   `json:"pushed"` // something was sent to a registry
}

// Referrer is one attached document.
type Referrer struct {
	ArtifactType string
	Digest       string
	Data         []byte
}
