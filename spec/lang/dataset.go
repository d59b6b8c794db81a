package lang

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
)

// dataset decodes a dataset block.
func (s section) dataset(a spec.Address, _ bool) *spec.Dataset {
	d := &spec.Dataset{
		Address: a, Name: a.ServedName(), Pos: specPos(s.n.rng),
		Description: s.str("description"), Owners: s.stringList("owners"),
		Source: s.source(), Digest: s.digest("digest"), Table: s.table(), Expect: s.expectations(),
		License: s.license(), Collected: s.time("collected"), Region: s.str("region"), Personal: s.boolean("personal"),
		Labels: s.stringMap("labels"),
	}
	s.checkDigest(d)
	return d
}

var (
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// ociForm is oci://HOST[:PORT]/REPOSITORY with a tag, a digest, or neither.
	ociForm = regexp.MustCompile(`^oci://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+` +
		`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

// digest is sha256:HEX, or "".
func (s section) digest(name string) string {
	text := s.str(name)
	if text != "" && !digestForm.MatchString(text) {
		s.errorf(s.at(name), "Invalid digest", "A digest is sha256: and 64 hexadecimal digits, in lower case, as `sha256sum FILE` prints them.")
		return ""
	}
	return text
}

// source tells by its form where a dataset is.
func (s section) source() spec.DatasetSource {
	v, ok := s.typed("source")
	if !ok || v.IsNull() {
		return spec.DatasetSource{}
	}
	text := v.AsString()
	scheme, rest, hasScheme := strings.Cut(text, "://")
	switch {
	case !hasScheme:
		return s.repoSource(text)
	case scheme == "https", scheme == "http":
		return s.webSource(text)
	case scheme == "oci":
		m := ociForm.FindStringSubmatch(text)
		if m == nil {
			s.errorf(s.at("source"), "Invalid source", "An artifact is oci://HOST/REPOSITORY with :TAG or @sha256:DIGEST, in lower case.")
		} else if m[1] == "" && m[2] == "" {
			s.errorf(s.at("source"), "Invalid source", "Which version of the artifact is meant? Add :TAG, which is followed, or @sha256:DIGEST, which is fixed.")
		}
		s.checkLocalTag(text)
		return spec.DatasetSource{Kind: spec.SourceOCI, Location: text}
	case scheme == "volume":
		s.ofHost("source", true)
		if !volumeName.MatchString(rest) {
			s.errorf(s.at("source"), "Invalid source", "The source of a volume is volume://NAME, where the name holds letters, digits, _, . and -.")
		}
		return spec.DatasetSource{Kind: spec.SourceVolume, Location: rest}
	default:
		s.errorf(s.at("source"), "Invalid source", "Nothing reads data from such a place. A source is a path of the repo, https://..., oci://... or volume://NAME. Copy data of other places into a registry or a volume.")
		return spec.DatasetSource{}
	}
}

func (s section) webSource(text string) spec.DatasetSource {
	u, err := url.Parse(text)
	_, public := s.denied(spec.GrantHost)
	src := spec.DatasetSource{Kind: spec.SourceHTTP, Location: text, Public: public}
	switch {
	case err != nil || u.Host == "":
		s.errorf(s.at("source"), "Invalid source", "This is no URL: write https://HOST/PATH/FILE.")
		return src
	case u.User != nil:
		s.errorf(s.at("source"), "Invalid source", "The URL holds a name or a password, and everybody who can read the repo could use it. Put the data where none is needed, or into a registry.")
		return src
	}
	src.File = path.Base(u.Path)
	if u.Path == "" || strings.HasSuffix(u.Path, "/") || spec.CheckFileName(src.File) != nil {
		s.errorf(s.at("source"), "Invalid source", "The path of the URL must end with the name of a file, which the steps see.")
	}
	return src
}

// maxData is the most that one dataset may have in the repo. It is read at every
// change, and every clone has it for ever.
const maxData = 64 << 20

func (s section) repoSource(name string) spec.DatasetSource {
	src := spec.DatasetSource{Kind: spec.SourceRepo, Location: name, File: path.Base(name)}
	clean, problem := repoPath(name)
	if problem != "" {
		s.errorf(s.at("source"), "Invalid path", "%s", problem)
		return src
	}
	src.Location = clean
	blob, why := s.ev.content(clean, maxData)
	if why != "" {
		s.errorf(s.at("source"), "No such file", "%s", why)
		return src
	}
	if bytes.HasPrefix(blob.data, []byte("version https://git-lfs.github.com/spec/")) {
		s.errorf(s.at("source"), "Data is elsewhere", "The file is a pointer of Git LFS, and the data itself is not in the repo. Commit the data, or put it into a registry: source = \"oci://...\".")
	}
	src.Data = blob.data
	return src
}

// checkDigest compares what is declared with what is there, as far as that is
// known now.
func (s section) checkDigest(d *spec.Dataset) {
	switch d.Source.Kind {
	case spec.SourceRepo:
		if d.Digest == "" || d.Source.Data == nil {
			return
		}
		if blob, _ := s.ev.content(d.Source.Location, maxData); blob.digest() != d.Digest {
			s.errorf(s.at("digest"), "Digest does not match", "The file %s has another digest than declared, so it is other data:\n    declared %s\n    found    %s\nIf the new data is meant, declare its digest.", d.Source.Location, d.Digest, blob.digest())
		}
	case spec.SourceHTTP:
		if !s.has("digest") {
			s.ev.warnf(s.at("source"), s.n.place, "Data not reproducible", "Without digest, whatever the URL serves is taken, and a run cannot be made again. Write digest = \"sha256:...\" as `sha256sum` prints it.")
		}
	case spec.SourceOCI:
		if _, pinned, isPinned := strings.Cut(d.Source.Location, "@"); isPinned && d.Digest != "" && pinned != d.Digest {
			s.errorf(s.at("digest"), "Digest does not match", "The source names one digest, and this argument another. Remove one of the two.")
		}
	case spec.SourceVolume:
		if s.has("digest") {
			s.errorf(s.at("digest"), "Contradictory arguments", "What is in a volume can change at any time, so it has no digest. Remove the argument, or take the data from a registry.")
		}
	}
}

func (s section) table() spec.TableFormat {
	c, _ := s.child("table")
	return spec.TableFormat{File: c.str("file"), Format: c.keyword("format"), Headers: c.stringList("headers")}
}

func (s section) expectations() []spec.Expectation {
	var list []spec.Expectation
	for _, c := range s.children("expect") {
		list = append(list, c.expectation())
	}
	return list
}

// ofColumn are the arguments that only the expectation of a column has.
var ofColumn = [...]string{"name", "type", "missing", "unique", "values", "pattern"}

func (s section) expectation() spec.Expectation {
	x := spec.Expectation{
		Pos: specPos(s.n.rng), Kind: spec.ExpectationKind(s.n.label), Column: s.str("name"), Type: spec.ColumnType(s.keyword("type")),
		Min: s.optional("min"), Max: s.optional("max"), Missing: s.optional("missing"), Unique: s.boolean("unique"),
		Values: s.stringList("values"), Pattern: s.str("pattern"),
	}
	switch x.Kind {
	case spec.ExpectRows:
		for _, name := range ofColumn {
			if s.has(name) {
				s.errorf(s.at(name), "Contradictory arguments", "The number of rows has min and max only. For the values of a column write expect \"column\".")
			}
		}
		if !s.has("min") && !s.has("max") {
			s.errorf(s.n.rng, "Expectation of nothing", "This could never fail. Write min, max or both.")
		}
	case spec.ExpectColumn:
		s.checkColumn(x)
	default:
		s.errorf(s.n.rng, "Unknown expectation", "There is none of this kind. Write expect \"rows\" or expect \"column\".%s", didYouMean(s.n.label, []string{"rows", "column"}))
	}
	s.checkBounds("min", x.Min, "max", x.Max)
	return x
}

func (s section) checkColumn(x spec.Expectation) {
	if !s.has("name") {
		s.errorf(s.n.rng, "Missing argument", "Which column is it about? Write name = \"COLUMN\".")
	}
	if (s.has("min") || s.has("max")) && (x.Type == spec.ColumnString || x.Type == spec.ColumnBool || x.Type == spec.ColumnTimestamp) {
		s.errorf(s.n.rng, "Contradictory arguments", "min and max bound numbers, and the values are of the type %s. Remove the bounds, or change the type.", x.Type)
	}
	if x.Pattern != "" {
		if _, err := regexp.Compile(x.Pattern); err != nil {
			s.errorf(s.at("pattern"), "Invalid pattern", "%s", sentence(err.Error()))
		}
	}
}

// time reads a date, or a time in RFC 3339; a date is its beginning in UTC.
func (s section) time(name string) time.Time {
	text := s.str(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	s.errorf(s.at(name), "Invalid time", "Write a date as \"2026-11-21\", or a time as \"2026-11-21T13:00:00Z\".")
	return time.Time{}
}

// licenseForm is an SPDX identifier, or several with AND, OR and WITH. Whether
// there is such a licence is not known here.
var licenseForm = regexp.MustCompile(`^\(*[A-Za-z0-9][A-Za-z0-9.+:-]*\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9][A-Za-z0-9.+:-]*\)*)*$`)

func (s section) license() string {
	text := s.str("license")
	if text != "" && (!licenseForm.MatchString(text) || len(text) > 256) {
		s.errorf(s.at("license"), "Invalid licence", "A licence is an SPDX identifier, such as \"Apache-2.0\" or \"CC-BY-4.0\", or several with AND, OR and WITH. For one of your own write \"LicenseRef-NAME\".")
	}
	return text
}

// stringMap reads a map of text.
func (s section) stringMap(name string) map[string]string {
	members := s.elements(name)
	if len(members) == 0 {
		return nil
	}
	all := make(map[string]string, len(members))
	for key, v := range members {
		if t := v.Type(); !v.IsNull() && (t == cty.Number && v.AsBigFloat().IsInt() || t == cty.Bool) {
			v, _ = toType(v, cty.String)
		}
		if v.IsNull() || v.Type() != cty.String {
			s.errorf(s.memberAt(name, key), "Wrong type", "Each value of %s is a string, and this is %s. Put text in quotes.", name, kindOf(v))
			continue
		}
		all[key] = v.AsString()
	}
	return all
}

// digest is that of the content, as sha256sum prints it.
func (b *content) digest() string {
	if b.sum == "" {
		sum := sha256.Sum256(b.data)
		b.sum = "sha256:" + hex.EncodeToString(sum[:])
	}
	return b.sum
}
