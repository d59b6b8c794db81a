package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	modelspec "github.com/modelpack/model-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
)

// TypeContent is the artifact type of plain files: outputs of steps, and datasets.
const TypeContent = "application/vnd.fairlead.content.v1"

const (
	typeFile = "application/octet-stream"
	typeTar  = "application/x-tar"
)

// Bounds that keep memory bounded, whatever a registry sends. The one of manifests is
// that of the OCI distribution specification.
const (
	maxManifest   = 4 << 20
	maxAttachment = 64 << 20
)

// manifest is an artifact.
type manifest struct {
	digest digest.Digest
	size   int64
	ocispec.Manifest
}

func (m *manifest) descriptor() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: m.kind(), Digest: m.digest, Size: m.size}
}

// kind is the type of the artifact, as the OCI image specification finds it.
func (m *manifest) kind() string {
	if m.ArtifactType != "" {
		return m.ArtifactType
	}
	return m.Config.MediaType
}

// parts are the blobs that the artifact needs beside its manifest.
func (m *manifest) parts() []ocispec.Descriptor {
	return append([]ocispec.Descriptor{m.Config}, m.Layers...)
}

// newManifest encodes a manifest. Equal manifests have equal bytes.
func newManifest(m ocispec.Manifest) ([]byte, error) {
	m.Versioned = specs.Versioned{SchemaVersion: 2}
	m.MediaType = ocispec.MediaTypeImageManifest
	if m.Layers == nil {
		m.Layers = []ocispec.Descriptor{}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes; registries take at most %d: annotate it with less", len(raw), maxManifest)
	}
	return raw, nil
}

// errNoManifest says that a digest is not that of the manifest of an artifact.
var errNoManifest = errors.New("it is not the manifest of an artifact")

// parseManifest reads the manifest of an artifact of any origin.
func parseManifest(d digest.Digest, raw []byte) (*manifest, error) {
	m := &manifest{digest: d, size: int64(len(raw))}
	if err := json.Unmarshal(raw, &m.Manifest); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", d, errNoManifest, err)
	}
	switch m.MediaType {
	case ocispec.MediaTypeImageManifest, "":
	case ocispec.MediaTypeImageIndex, "application/vnd.docker.distribution.manifest.list.v2+json":
		return nil, fmt.Errorf("%s is an index of several manifests; name one of them by its digest: %w", d, errNoManifest)
	default:
		return nil, fmt.Errorf("%s is of the type %.80q, which holds no files: %w", d, m.MediaType, errNoManifest)
	}
	if m.SchemaVersion != 2 {
		return nil, fmt.Errorf("%s is not an OCI image manifest of schema version 2: %w", d, errNoManifest)
	}
	for _, blob := range m.parts() {
		if _, err := parseDigest(blob.Digest.String()); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", d, err)
		}
		if blob.Size < 0 {
			return nil, fmt.Errorf("manifest %s gives blob %s a negative size", d, blob.Digest)
		}
	}
	return m, nil
}

// packing is how a layer holds files.
type packing int

const (
	packNothing packing = iota // the layer that stands where a manifest must have one
	packFile
	packTar
	packTarGzip
)

// packing tells how the layer holds files. What we cannot unpack is an error that
// wraps reconcile.ErrNotStorable.
func (m *manifest) packing(layer ocispec.Descriptor) (packing, error) {
	kind := layer.MediaType
	switch {
	case m.Config.MediaType == ocispec.MediaTypeImageConfig || m.Config.MediaType == "application/vnd.docker.container.image.v1+json":
		return 0, fmt.Errorf("%s is the image of a container, not an artifact of files: %w", m.digest, reconcile.ErrNotStorable)
	case strings.HasSuffix(kind, ".tar"), kind == typeTar:
		return packTar, nil
	case strings.HasSuffix(kind, ".tar+gzip"), strings.HasSuffix(kind, ".tar.gzip"):
		return packTarGzip, nil
	case strings.HasSuffix(kind, "+zstd"):
		return 0, fmt.Errorf("layer %s is of the type %.80q; zstd is not supported: push it as .raw, .tar or .tar+gzip: %w", layer.Digest, kind, reconcile.ErrNotStorable)
	case layerName(layer) != "":
		return packFile, nil
	case kind == ocispec.MediaTypeEmptyJSON:
		return packNothing, nil
	}
	return 0, fmt.Errorf("layer %s, of the type %.80q, has no file name: it needs the annotation %s or %s: %w",
		layer.Digest, kind, modelspec.AnnotationFilepath, ocispec.AnnotationTitle, reconcile.ErrNotStorable)
}

// layerName is the path of the one file of a layer, "" if nobody says.
func layerName(layer ocispec.Descriptor) string {
	if path := layer.Annotations[modelspec.AnnotationFilepath]; path != "" {
		return path
	}
	return layer.Annotations[ocispec.AnnotationTitle]
}

// executable tells whether the file of a layer may be executed.
func executable(layer ocispec.Descriptor) bool {
	var meta modelspec.FileMetadata
	raw := layer.Annotations[modelspec.AnnotationFileMetadata]
	return raw != "" && json.Unmarshal([]byte(raw), &meta) == nil && meta.Mode&0o111 != 0
}

// layerAnnotations name the file of a layer. Only one that may be executed needs more,
// for which ModelPack has a document with fields that we set to constants.
func layerAnnotations(path string, size int64, exec bool) (map[string]string, error) {
	annotations := map[string]string{modelspec.AnnotationFilepath: path}
	if exec {
		raw, err := json.Marshal(modelspec.FileMetadata{Name: path, Mode: 0o755, Size: size, ModTime: epoch().UTC(), Typeflag: '0'})
		if err != nil {
			return nil, err
		}
		annotations[modelspec.AnnotationFileMetadata] = string(raw)
	}
	return annotations, nil
}

// readAll reads n bytes and to the end, that must be there.
func readAll(r io.Reader, n int64) ([]byte, error) {
	var raw bytes.Buffer
	got, err := raw.ReadFrom(io.LimitReader(r, n+1))
	if err != nil {
		return nil, err
	}
	if got != n {
		return nil, errors.New("the content has another size than was promised")
	}
	return raw.Bytes(), nil
}
