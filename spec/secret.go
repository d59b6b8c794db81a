package spec

import (
	"cmp"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// Secret declares where a secret value comes from. Exactly one source is set.
// The value itself is never part of a Config: package providers/secret resolves
// it on the daemon's host.
type Secret struct {
	Name string
	// Module is the repo that declares it, and whose keys alone decrypt it: the name of
	// an include, or "" for the root.
	Module string
	File   string // absolute path on the daemon's host
	Env    string // environment variable of the daemon
	Age    string // ASCII-armoured or base64 age ciphertext, kept in the repo
	SOPS   *SOPS  // value in a file of the repo that is encrypted with SOPS
	Pos    Pos
}

// SOPS is a value in a file of the config repo, encrypted with SOPS for age
// recipients.
type SOPS struct {
	Path string // of the file
	Key  string // path of the value, its parts with dots between them; "": the whole file, decrypted
	Data []byte // content of the file, encrypted
}

// redacted stands for a secret value wherever one would be printed.
const redacted = "(sensitive)"

// Sensitive is a secret value that does not print itself: every formatter,
// encoder and logger sees "(sensitive)". Only Reveal returns the value, so a
// search for Reveal finds every place where a secret leaves its wrapping.
type Sensitive struct{ value string }

// NewSensitive wraps a secret value.
func NewSensitive(value string) Sensitive { return Sensitive{value} }

// Reveal returns the secret value itself.
func (s Sensitive) Reveal() string { return s.value }

// IsZero tells whether there is no value at all.
func (s Sensitive) IsZero() bool { return s.value == "" }

// String implements fmt.Stringer.
func (s Sensitive) String() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the value.
func (s Sensitive) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler.
func (s Sensitive) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }

// telling is how long a line of a secret value must be to count as a part of the
// secret: many keys share their first and last line, and most files their empty
// ones.
const telling = 8

// Redact returns the text with the values blotted out: for what others wrote and
// may quote them, such as an engine's error or the log of a container. Of a value
// with several lines each line is looked for as well, and the form that the whole
// has between quotes.
func Redact(text string, values iter.Seq[Sensitive]) string {
	var parts []string
	for v := range values {
		if v.IsZero() {
			continue
		}
		quoted := strconv.Quote(v.value)
		parts = append(parts, v.value, quoted[1:len(quoted)-1])
		for line := range strings.Lines(v.value) {
			if line = strings.TrimSpace(line); len(line) >= telling {
				parts = append(parts, line)
			}
		}
	}
	// Longer ones first: else the rest of one shows that begins with another.
	slices.SortFunc(parts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, part := range parts {
		text = strings.ReplaceAll(text, part, redacted)
	}
	return text
}
