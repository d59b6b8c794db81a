package oci

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"

	"github.com/fairlead/fairlead/reconcile"
)

const scheme = "oci://"

// reference is a parsed oci://HOST/REPOSITORY[:TAG][@DIGEST].
type reference struct {
	host, repository string
	tag              string
	digest           digest.Digest
}

// parseRef reads a reference. With a digest the tag means nothing, and is dropped.
func parseRef(text string) (reference, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return reference{}, badRef(text, errors.New("it does not begin with "+scheme))
	}
	if name, local := strings.CutPrefix(rest, reconcile.LocalRegistry+"/"); local {
		return parseLocal(text, name)
	}
	ref, err := registry.ParseReference(rest)
	if err != nil {
		return reference{}, badRef(text, err)
	}
	r := reference{host: ref.Registry, repository: ref.Repository}
	if !strings.Contains(ref.Reference, ":") {
		r.tag = ref.Reference
		return r, nil
	}
	if r.digest, err = parseDigest(ref.Reference); err != nil {
		return reference{}, badRef(text, err)
	}
	return r, nil
}

// parseLocal takes every name that a model can have.
func parseLocal(text, rest string) (r reference, err error) {
	r.host = reconcile.LocalRegistry
	name, sum, hasDigest := strings.Cut(rest, "@")
	r.repository, r.tag, _ = strings.Cut(name, ":")
	if hasDigest {
		r.tag = ""
		if r.digest, err = parseDigest(sum); err != nil {
			return reference{}, badRef(text, err)
		}
	}
	if err := checkPath(r.repository); err != nil {
		return reference{}, badRef(text, err)
	}
	return r, nil
}

func badRef(text string, why error) error {
	return fmt.Errorf("%.200q is not a reference to an artifact: %w; write oci://HOST/REPOSITORY@sha256:DIGEST", text, why)
}

func (r reference) local() bool { return r.host == reconcile.LocalRegistry }

// String is the reference as users write it.
func (r reference) String() string {
	text := scheme + r.host + "/" + r.repository
	switch {
	case r.digest != "":
		return text + "@" + r.digest.String()
	case r.tag != "":
		return text + ":" + r.tag
	}
	return text
}

func (r reference) withDigest(d digest.Digest) reference {
	r.tag, r.digest = "", d
	return r
}

// tagOf is the tag of a version. Tags cannot hold the + of semantic versions.
func tagOf(version string) (string, error) {
	tag := strings.ReplaceAll(version, "+", "_")
	if err := (registry.Reference{Reference: tag}).ValidateReferenceAsTag(); err != nil {
		return "", fmt.Errorf("the version %.80q cannot be a tag: %w", version, err)
	}
	return tag, nil
}

// otherTag is the tag of a version whose own names another artifact already. A tag is
// never moved: what it names may be live, and a registry may remove what no tag names.
func otherTag(tag string, d digest.Digest) string {
	const most = 128 // characters of a tag
	suffix := "_" + d.Encoded()[:12]
	return tag[:min(len(tag), most-len(suffix))] + suffix
}
