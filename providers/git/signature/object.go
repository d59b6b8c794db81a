package signature

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// The headers of a commit that hold signatures. The second is for repositories whose
// objects are named by SHA-256.
const (
	headerSignature = "gpgsig"
	headerSHA256    = "gpgsig-sha256"
)

// maxSignature bounds the text of a signature: an RSA key of 16,384 bits needs 3 kB.
const maxSignature = 64 << 10

// beginnings are the lines that a signature in a tag begins with, as Git looks for
// them.
var beginnings = []string{
	"-----BEGIN PGP SIGNATURE-----",
	"-----BEGIN PGP MESSAGE-----",
	"-----BEGIN SSH SIGNATURE-----",
	"-----BEGIN SIGNED MESSAGE-----",
	"-----BEGIN PGP SIGNED MESSAGE-----",
}

// errUnsigned: there is no signature.
var errUnsigned = errors.New("it is not signed")

// cut parts a raw commit or tag into what was signed and the signature. What git
// fsck would not take for sound is an error, since two programs may read it in two
// ways.
func cut(raw []byte) (payload []byte, armored string, err error) {
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		return nil, "", fmt.Errorf("it holds a NUL byte at offset %d", i)
	}
	head, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		// Git writes a commit without any message so.
		if head, ok = bytes.CutSuffix(raw, []byte("\n")); !ok {
			return nil, "", errors.New("its header has no end")
		}
	}
	headers, err := parseHeaders(string(head))
	if err != nil {
		return nil, "", err
	}
	switch headers[0].name {
	case "tree":
		return cutCommit(raw, headers)
	case "object":
		return cutTag(raw, headers, string(message))
	}
	return nil, "", fmt.Errorf("it begins with %q and is neither a commit nor a tag", printable(headers[0].name))
}

// header is a header of an object, with the lines that go on with it.
type header struct {
	name, value string
	start, end  int // of all its lines, the last newline included
}

func parseHeaders(head string) ([]header, error) {
	var headers []header
	at := 0
	for line := range strings.SplitSeq(head, "\n") {
		end := at + len(line) + 1
		if more, ok := strings.CutPrefix(line, " "); ok {
			if len(headers) == 0 {
				return nil, errors.New("it begins with a space")
			}
			last := &headers[len(headers)-1]
			last.value += "\n" + more
			last.end = end
		} else {
			name, value, ok := strings.Cut(line, " ")
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d of its header is no header", strings.Count(head[:at], "\n")+1)
			}
			headers = append(headers, header{name, value, at, end})
		}
		at = end
	}
	return headers, nil
}

// cutCommit takes out the header with the signature.
func cutCommit(raw []byte, headers []header) ([]byte, string, error) {
	if err := inOrder(headers, []string{"tree", "parent", "author", "committer"}); err != nil {
		return nil, "", err
	}
	var found []header
	for _, h := range headers {
		switch h.name {
		case headerSignature:
			found = append(found, h)
		case headerSHA256:
			return nil, "", errors.New("it has a header gpgsig-sha256, which does not belong into this repository")
		}
	}
	switch {
	case len(found) == 0:
		return nil, "", errUnsigned
	case len(found) > 1:
		return nil, "", fmt.Errorf("it has %d signatures in its header; only one may be there", len(found))
	}
	signature := found[0]
	if len(signature.value) > maxSignature {
		return nil, "", fmt.Errorf("its signature is longer than %d bytes", maxSignature)
	}
	return bytes.Join([][]byte{raw[:signature.start], raw[signature.end:]}, nil), signature.value, nil
}

// inOrder tells whether the headers begin with those named, each as often as Git
// writes it, and none of them comes again.
func inOrder(headers []header, names []string) error {
	i := 0
	for _, name := range names {
		count := 0
		for i < len(headers) && headers[i].name == name {
			if strings.Contains(headers[i].value, "\n") {
				return fmt.Errorf("its header %s has more than one line", name)
			}
			i++
			count++
		}
		if count != 1 && name != "parent" {
			return fmt.Errorf("its header has %d times %s where it has to be once", count, name)
		}
	}
	for _, h := range headers[i:] {
		for _, name := range names {
			if h.name == name {
				return fmt.Errorf("its header has %s again in a wrong place", name)
			}
		}
	}
	return nil
}

// cutTag takes off the signature that a tag ends with.
func cutTag(raw []byte, headers []header, message string) ([]byte, string, error) {
	if err := inOrder(headers, []string{"object", "type", "tag", "tagger"}); err != nil {
		return nil, "", err
	}
	if len(headers) > 4 {
		return nil, "", fmt.Errorf("it has a header %s, which no tag has", printable(headers[4].name))
	}
	start, count, at := 0, 0, 0
	for line := range strings.Lines(message) {
		for _, begin := range beginnings {
			if strings.HasPrefix(line, begin) {
				start = at
				count++
			}
		}
		at += len(line)
	}
	switch {
	case count == 0:
		return nil, "", errUnsigned
	case count > 1:
		return nil, "", fmt.Errorf("its message has %d beginnings of a signature; only one may be there", count)
	case len(message)-start > maxSignature:
		return nil, "", fmt.Errorf("its signature is longer than %d bytes", maxSignature)
	}
	return raw[:len(raw)-len(message)+start], message[start:], nil
}

// printable leaves out what could steer a terminal, and cuts what is long.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	const limit = 200
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return s
}
