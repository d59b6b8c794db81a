package update

import (
	"fmt"
	"regexp"
	"strings"
)

// Image is a reference to a container image in its parts.
type Image struct {
	Name   string // as written: digits, ghcr.io/acme/digits, localhost:5000/digits
	Tag    string // "": none was written
	Digest string // sha256:HEX; "": none was written
}

// The grammar of references (https://github.com/distribution/reference), but for
// digests, of which SHA-256 alone is known.
var (
	hostForm   = regexp.MustCompile(`^(?:` + hostPart + `(?:\.` + hostPart + `)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$`)
	pathForm   = regexp.MustCompile(`^` + pathPart + `(?:/` + pathPart + `)*$`)
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	idForm     = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

const (
	hostPart = `[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?`
	pathPart = `[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*`
	maxName  = 255
)

// ParseImage reads a reference: NAME, NAME:TAG, NAME@DIGEST or NAME:TAG@DIGEST. The id
// of an image on one host is none: nothing newer has the same name.
func ParseImage(ref string) (Image, error) {
	rest, digest, hasDigest := strings.Cut(ref, "@")
	i := Image{Name: rest, Digest: digest}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		i.Name, i.Tag = rest[:colon], rest[colon+1:]
		if !tagForm.MatchString(i.Tag) {
			return Image{}, badImage(ref)
		}
	}
	if hasDigest && !digestForm.MatchString(digest) {
		return Image{}, badImage(ref)
	}
	host, path := i.split()
	if host != "" && !hostForm.MatchString(host) || !pathForm.MatchString(path) || len(i.Name) > maxName || idForm.MatchString(i.Name) ||
		i.Name == "sha256" && idForm.MatchString(i.Tag) {
		return Image{}, badImage(ref)
	}
	return i, nil
}

func badImage(ref string) error {
	return fmt.Errorf("%.200q is no name of an image; write NAME:TAG or NAME@sha256:DIGEST, where NAME is in lower case and may start with a registry", ref)
}

// split cuts the host off a name, if it has one: a first part that cannot be a
// directory of Docker Hub.
func (i Image) split() (host, path string) {
	first, rest, found := strings.Cut(i.Name, "/")
	if found && (strings.ContainsAny(first, ".:") || first == "localhost" || first != strings.ToLower(first)) {
		return first, rest
	}
	return "", i.Name
}

// dockerHub is what names without a host are on.
const dockerHub = "docker.io"

// Registry returns the host and the path that the name stands for, as Docker reads
// it: digits is docker.io and library/digits.
func (i Image) Registry() (host, repository string) {
	host, repository = i.split()
	if host == "" || host == "index.docker.io" {
		host = dockerHub
	}
	if host == dockerHub && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	return host, repository
}

// With is the image of that name with another tag and digest; "" for none.
func (i Image) With(tag, digest string) Image {
	i.Tag, i.Digest = tag, digest
	return i
}

// String is the reference: NAME:TAG@DIGEST, without what is empty.
func (i Image) String() string {
	ref := i.Name
	if i.Tag != "" {
		ref += ":" + i.Tag
	}
	if i.Digest != "" {
		ref += "@" + i.Digest
	}
	return ref
}
