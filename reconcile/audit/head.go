package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Head is how far a journal had come at some moment. Kept where whoever can write to the
// journal cannot, it shows later that entries are missing at the end, or that the journal
// is another one.
type Head struct {
	FormatVersion int    `json:"format_version"`
	Branch        string `json:"branch,omitempty"` // short name; "": of any
	Commit        string `json:"commit"`           // full id of the newest entry
	// Entries is how many there were; 0: that is not known.
	Entries int       `json:"entries,omitempty"`
	At      time.Time `json:"at,omitzero"` // of the newest entry
	// Source is where it comes from, for messages: a file, an argument.
	Source string `json:"-"`
}

// HeadFormat is the FormatVersion that this program writes and reads.
const HeadFormat = 1

var fullID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Encode is the text of a file or a notification that ParseHead reads: one line of JSON.
func (h Head) Encode() ([]byte, error) {
	h.FormatVersion = HeadFormat
	data, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("write the head of the journal: %w", err)
	}
	return append(data, '\n'), nil
}

// ParseHead reads what Encode wrote, or a bare commit id. source is named in errors, and
// in what is said about the head.
func ParseHead(text []byte, source string) (Head, error) {
	text = bytes.TrimSpace(text)
	if fullID.Match(text) {
		return Head{FormatVersion: HeadFormat, Commit: string(text), Source: source}, nil
	}
	h := Head{}
	if err := json.Unmarshal(text, &h); err != nil {
		return Head{}, fmt.Errorf("%s holds no head of a journal: neither the 40 hex digits of a commit, nor what fairlead writes there: %w", source, err)
	}
	h.Source = source
	switch {
	case h.FormatVersion > HeadFormat:
		return Head{}, fmt.Errorf("the head in %s has the format %d, this version of fairlead reads %d; upgrade fairlead", source, h.FormatVersion, HeadFormat)
	case !fullID.MatchString(h.Commit), h.Entries < 0:
		return Head{}, fmt.Errorf("the head in %s is damaged: its commit is %q, of %d entries", source, h.Commit, h.Entries)
	}
	return h, nil
}

// String is for messages.
func (h Head) String() string {
	var more []string
	if h.Entries > 0 {
		more = append(more, fmt.Sprintf("entry %d", h.Entries))
	}
	if !h.At.IsZero() {
		more = append(more, h.At.UTC().Format(time.RFC3339))
	}
	if h.Source != "" {
		more = append(more, "from "+h.Source)
	}
	text := short(h.Commit)
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}

// short is an id as people write it.
func short(id string) string { return id[:min(len(id), 12)] }
