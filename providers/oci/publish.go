package oci

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	modelspec "github.com/modelpack/model-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
)

// artifact is a ModelPack artifact with its referrers, stored.
type artifact struct {
	model     *manifest
	referrers []*manifest
	pin       *pin
}

// Publish stores the model as a ModelPack artifact and pushes it where it belongs. All
// of its content is compared with its digests first. Equal packages give equal
// digests.
//
// The tag is the version, with _ for +. Where that names another artifact already, it
// stays there, and the tag of this one is VERSION_HEX with the first 12 digits of its
// digest: what a tag named once may be live.
func (s *Store) Publish(ctx context.Context, pkg reconcile.ModelPackage) (reconcile.Published, error) {
	to, tag, err := destination(pkg)
	if err != nil {
		return reconcile.Published{}, fmt.Errorf("publish %s@%s: %w", pkg.Name, pkg.Version, err)
	}
	content, err := parseDigest(pkg.Content)
	if err != nil {
		return reconcile.Published{}, fmt.Errorf("publish %s@%s: %w", pkg.Name, pkg.Version, err)
	}
	p, files, err := s.hold(ctx, content)
	if err != nil {
		return reconcile.Published{}, fmt.Errorf("publish %s@%s: %w", pkg.Name, pkg.Version, err)
	}
	defer p.release()
	a, err := s.pack(ctx, files, pkg, tag)
	if err != nil {
		return reconcile.Published{}, fmt.Errorf("publish %s@%s: %w", pkg.Name, pkg.Version, err)
	}
	defer a.pin.release()
	published := reconcile.Published{Ref: to.withDigest(a.model.digest).String(), Digest: a.model.digest.String()}
	if to.local() {
		return published, nil
	}
	published.Pushed, err = s.push(ctx, to, tag, a)
	return published, err
}

// destination is where the model goes, and its tag.
func destination(pkg reconcile.ModelPackage) (reference, string, error) {
	if pkg.Name == "" {
		return reference{}, "", errors.New("the model has no name")
	}
	tag, err := tagOf(pkg.Version)
	if err != nil {
		return reference{}, "", err
	}
	where := pkg.Registry
	if where == "" {
		where = scheme + reconcile.LocalRegistry + "/" + pkg.Name
	}
	to, err := parseRef(where)
	if err == nil && (to.tag != "" || to.digest != "") {
		err = badRef(where, errors.New("a place to publish to has neither a tag nor a digest"))
	}
	return to, tag, err
}

// pack stores the manifests of the model and its referrers.
func (s *Store) pack(ctx context.Context, files *manifest, pkg reconcile.ModelPackage, tag string) (*artifact, error) {
	in, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer in.close()
	m, err := s.packModel(ctx, in, files, pkg)
	if err != nil {
		return nil, err
	}
	a := &artifact{model: m}
	needed := m.parts()
	for _, attachment := range pkg.Attached {
		referrer, err := packReferrer(ctx, in, m.descriptor(), attachment)
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", attachment.ArtifactType, err)
		}
		a.referrers = append(a.referrers, referrer)
		needed = append(append(needed, referrer.parts()...), referrer.descriptor())
	}
	a.pin, err = in.commit(ctx, m.descriptor(), needed, func() error { return s.updateIndex(ctx, a.list(pkg.Name, tag)) })
	return a, err
}

// list adds the artifact to index.json.
func (a *artifact) list(name, tag string) func([]ocispec.Descriptor) []ocispec.Descriptor {
	return func(all []ocispec.Descriptor) []ocispec.Descriptor {
		full := name + ":" + tag
		if d := tagged(all, full); d != "" && d != a.model.digest {
			full = name + ":" + otherTag(tag, a.model.digest)
		}
		if tagged(all, full) == "" {
			entry := a.model.descriptor()
			entry.Annotations = map[string]string{ocispec.AnnotationRefName: full}
			all = append(all, entry)
		}
		for _, r := range a.referrers {
			if !slices.ContainsFunc(all, func(d ocispec.Descriptor) bool { return d.Digest == r.digest }) {
				entry := r.descriptor()
				entry.Annotations = map[string]string{annotationSubject: a.model.digest.String()}
				all = append(all, entry)
			}
		}
		return all
	}
}

// packModel stores the manifest of the model over the layers of the files.
func (s *Store) packModel(ctx context.Context, in *ingest, files *manifest, pkg reconcile.ModelPackage) (*manifest, error) {
	var layers []ocispec.Descriptor
	var diffs []digest.Digest
	for _, layer := range files.Layers {
		if err := s.verify(ctx, layer); err != nil {
			return nil, err
		}
		pack, err := files.packing(layer)
		if err != nil {
			return nil, err
		}
		if pack == packNothing {
			continue
		}
		diff, err := s.diffID(ctx, layer, pack)
		if err != nil {
			return nil, err
		}
		diffs = append(diffs, diff)
		layers = append(layers, modelLayer(layer, pack))
	}
	if len(layers) == 0 {
		return nil, errors.New("its content has no files; the step that made it wrote nothing into that output")
	}
	created := pkg.Created.UTC().Truncate(time.Second)
	model := modelspec.Model{
		Descriptor: modelspec.ModelDescriptor{Name: pkg.Name, Version: pkg.Version, Licenses: pkg.Licenses},
		ModelFS:    modelspec.ModelFS{Type: "layers", DiffIDs: diffs},
	}
	if !pkg.Created.IsZero() {
		model.Descriptor.CreatedAt = &created
	}
	raw, err := json.Marshal(model)
	if err != nil {
		return nil, err
	}
	config, err := in.writeBytes(ctx, modelspec.MediaTypeModelConfig, raw)
	if err != nil {
		return nil, err
	}
	return storeManifest(ctx, in, ocispec.Manifest{
		ArtifactType: modelspec.ArtifactTypeModelManifest, Config: config, Layers: layers, Annotations: maps.Clone(pkg.Annotations),
	})
}

// storeManifest stores a manifest that was just made.
func storeManifest(ctx context.Context, in *ingest, content ocispec.Manifest) (*manifest, error) {
	raw, err := newManifest(content)
	if err != nil {
		return nil, err
	}
	d, err := in.writeBytes(ctx, ocispec.MediaTypeImageManifest, raw)
	if err != nil {
		return nil, err
	}
	return parseManifest(d.Digest, raw)
}

// modelLayer is the layer with the type that ModelPack has for it. One that has such
// a type keeps it: documentation and code are not weights.
func modelLayer(layer ocispec.Descriptor, pack packing) ocispec.Descriptor {
	model := ocispec.Descriptor{MediaType: layer.MediaType, Digest: layer.Digest, Size: layer.Size, Annotations: maps.Clone(layer.Annotations)}
	if !strings.HasPrefix(layer.MediaType, "application/vnd.cncf.model.") {
		switch pack {
		case packTar:
			model.MediaType = modelspec.MediaTypeModelWeight
		case packTarGzip:
			model.MediaType = modelspec.MediaTypeModelWeightGzip
		default:
			model.MediaType = modelspec.MediaTypeModelWeightRaw
		}
	}
	if pack == packFile {
		model.Annotations[modelspec.AnnotationFilepath] = layerName(layer)
	}
	return model
}

// diffID is the digest of a layer before it was compressed.
func (s *Store) diffID(ctx context.Context, layer ocispec.Descriptor, pack packing) (digest.Digest, error) {
	if pack != packTarGzip {
		return layer.Digest, nil
	}
	blob, err := s.openBlob(layer)
	if err != nil {
		return "", err
	}
	defer closeQuietly(blob)
	plain, err := gzip.NewReader(blob)
	if err != nil {
		return "", s.badArchive(layer, err)
	}
	sum := sha256.New()
	if _, err := copyBytes(ctx, sum, &bounded{from: plain, left: s.options.MaxSize}); err != nil {
		return "", s.badArchive(layer, err)
	}
	return sumDigest(sum), nil
}

// packReferrer stores a document that refers to subject.
func packReferrer(ctx context.Context, in *ingest, subject ocispec.Descriptor, a reconcile.Attachment) (*manifest, error) {
	if a.ArtifactType == "" || a.MediaType == "" {
		return nil, errors.New("an attachment needs an artifact type and a media type")
	}
	if len(a.Data) > maxAttachment {
		return nil, fmt.Errorf("it has %d bytes; at most %d are allowed", len(a.Data), maxAttachment)
	}
	config, err := in.writeBytes(ctx, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	if err != nil {
		return nil, err
	}
	layer, err := in.write(ctx, a.MediaType, func(w io.Writer) error {
		_, err := copyBytes(ctx, w, bytes.NewReader(a.Data))
		return err
	})
	if err != nil {
		return nil, err
	}
	layer.Annotations = map[string]string{ocispec.AnnotationTitle: attachmentName(a)}
	subject.ArtifactType = "" // of a subject OCI has the type, size and digest only
	return storeManifest(ctx, in, ocispec.Manifest{ArtifactType: a.ArtifactType, Config: config, Layers: []ocispec.Descriptor{layer}, Subject: &subject})
}

// attachmentName is the file name of an attachment: metrics.json of
// application/vnd.fairlead.metrics.v1+json.
func attachmentName(a reconcile.Attachment) string {
	_, name, _ := strings.Cut(a.ArtifactType, "/")
	name, _, _ = strings.Cut(name, "+")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "vnd.fairlead."), ".v1")
	if checkPath(name) != nil {
		name = "attachment"
	}
	if strings.HasSuffix(a.MediaType, "json") {
		name += ".json"
	}
	return name
}
