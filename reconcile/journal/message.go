package journal

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec"
)

// ErrForeign: a commit of the journal's branch was not written by Fairlead.
var ErrForeign = errors.New("this commit is no entry of the journal")

// The trailers of a message, in their order.
const (
	trailerAction  = "Fairlead-Action"
	trailerModel   = "Fairlead-Model"
	trailerFrom    = "Fairlead-From"
	trailerTo      = "Fairlead-To"
	trailerVersion = "Fairlead-Version"
	trailerWeight  = "Fairlead-Weight"
	trailerCommit  = "Fairlead-Commit"
	trailerActor   = "Fairlead-Actor"
	trailerAt      = "Fairlead-At"
)

const (
	maxSubject = 100     // characters of the line that `git log --oneline` shows
	maxReason  = 8 << 10 // bytes: a reason may come from a person, or from a server's answer
	maxActor   = 200     // bytes
)

// phrases say what an action does, for the subject: FROM, TO and WEIGHT are
// filled in.
var phrases = map[Action]string{
	ActionAdopt:     "adopt TO",
	ActionStart:     "start TO",
	ActionStep:      "next step of TO",
	ActionWeight:    "give TO WEIGHT %",
	ActionTolerate:  "tolerate a failure of TO",
	ActionFinish:    "bring TO to full size",
	ActionPromote:   "promote TO",
	ActionRollback:  "roll back FROM to TO",
	ActionReturn:    "return from FROM to TO",
	ActionAbort:     "abort FROM",
	ActionSupersede: "supersede FROM by TO",
	ActionFail:      "give up FROM",
	ActionHold:      "hold TO",
	ActionRelease:   "release what TO replaced",
	ActionRemove:    "remove",
	ActionApprove:   "approve TO",
	ActionPause:     "pause TO",
	ActionResume:    "resume TO",
	ActionRetry:     "retry",
}

// EncodeMessage writes an entry as the message of its commit: a subject for
// people that ends with the reason, the whole reason where that is longer, and
// trailers for programs. The reason and the actor may be
// anybody's text. They lose what could steer a terminal, and the trailers are the
// last paragraph whatever the reason looks like, so it cannot forge any.
func EncodeMessage(e Entry) (string, error) {
	if err := e.check(); err != nil {
		return "", fmt.Errorf("write the decision about %q into the journal: %w", e.Model, err)
	}
	e = e.cleaned()
	var b strings.Builder
	line, whole := subject(e)
	b.WriteString(line + "\n\n")
	if !whole {
		b.WriteString(e.Reason + "\n\n")
	}
	for _, t := range [][2]string{
		{trailerAction, string(e.Action)},
		{trailerModel, e.Model},
		{trailerFrom, e.From},
		{trailerTo, e.To},
		{trailerVersion, e.Version},
		{trailerWeight, strconv.Itoa(e.Weight)},
		{trailerCommit, e.Commit},
		{trailerActor, e.Actor},
		{trailerAt, e.At.UTC().Format(time.RFC3339Nano)},
	} {
		if t[1] != "" {
			b.WriteString(t[0] + ": " + t[1] + "\n")
		}
	}
	return b.String(), nil
}

// ParseMessage reads what EncodeMessage wrote. The entry has neither ID nor
// Record. The error is ErrForeign where nothing claims to be an entry; a
// message that claims it and is damaged is told what is wrong with it.
func ParseMessage(message string) (Entry, error) {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n")
	head, last := "", message
	if i := strings.LastIndex(message, "\n\n"); i >= 0 {
		head, last = message[:i], message[i+2:]
	}
	trailers, err := parseTrailers(last)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Action: Action(trailers[trailerAction]), Model: trailers[trailerModel],
		From: trailers[trailerFrom], To: trailers[trailerTo], Version: trailers[trailerVersion],
		Commit: trailers[trailerCommit], Actor: trailers[trailerActor],
	}
	if e.Weight, err = strconv.Atoi(trailers[trailerWeight]); err != nil {
		return Entry{}, fmt.Errorf("%s is %q and not a number", trailerWeight, trailers[trailerWeight])
	}
	if e.At, err = time.Parse(time.RFC3339Nano, trailers[trailerAt]); err != nil {
		return Entry{}, fmt.Errorf("%s is %q and not a time", trailerAt, trailers[trailerAt])
	}
	e.At = e.At.UTC()
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	line, reason, long := strings.Cut(head, "\n\n")
	if e.Reason = reason; !long && line != opening(e) {
		e.Reason = strings.TrimPrefix(line, opening(e)+": ")
	}
	return e.cleaned(), nil
}

// parseTrailers reads "Key: value" lines. Keys that this program does not know
// are passed over: later versions, and hooks of a server, may add some.
func parseTrailers(paragraph string) (map[string]string, error) {
	trailers := map[string]string{}
	twice := ""
	for line := range strings.SplitSeq(paragraph, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || !strings.HasPrefix(key, "Fairlead-") {
			continue
		}
		if _, again := trailers[key]; again && twice == "" {
			twice = key
		}
		trailers[key] = value
	}
	switch {
	case trailers[trailerAction] == "":
		return nil, ErrForeign
	case twice != "":
		return nil, fmt.Errorf("%s stands there twice", twice)
	}
	return trailers, nil
}

var (
	validRevision = regexp.MustCompile(`^[0-9A-Za-z._:@+-]{0,128}$`)
	validCommit   = regexp.MustCompile(`^[0-9A-Za-z._/+-]{0,128}$`)
)

// check refuses what no decision can be.
func (e *Entry) check() error {
	_, known := phrases[e.Action]
	switch {
	case !known:
		return fmt.Errorf("the action is %q, which this version of fairlead does not know", e.Action)
	case !spec.ValidName(e.Model):
		return fmt.Errorf("%q is not the name of a model", e.Model)
	case !validRevision.MatchString(e.From), !validRevision.MatchString(e.To):
		return fmt.Errorf("the revisions are %q and %q, which is not what a revision looks like", e.From, e.To)
	case !validCommit.MatchString(e.Commit):
		return fmt.Errorf("the commit is %q, which is not what one looks like", e.Commit)
	case e.Weight < 0 || e.Weight > 100:
		return fmt.Errorf("the weight is %d; it is from 0 to 100", e.Weight)
	case e.At.IsZero(), e.At.Year() < 1970 || e.At.Year() > 9999:
		return fmt.Errorf("the time is %s, which no clock shows", e.At)
	case e.Record != nil && e.Record.Model != "" && e.Record.Model != e.Model:
		return fmt.Errorf("the record is about %q", e.Record.Model)
	}
	return nil
}

// cleaned is the entry as it is written and read.
func (e Entry) cleaned() Entry {
	e.Version = clip(oneLine(e.Version), maxActor)
	e.Actor = clip(oneLine(e.Actor), maxActor)
	e.Reason = clip(cleanText(e.Reason), maxReason)
	e.At = e.At.Round(0).UTC()
	return e
}

// subject is one line that tells what was decided, and why as far as there is
// room. whole: it holds all of the reason.
func subject(e Entry) (line string, whole bool) {
	line = opening(e)
	why, _, more := strings.Cut(e.Reason, "\n")
	if why != "" {
		line += ": " + why
	}
	if runes := []rune(line); len(runes) > maxSubject {
		return strings.TrimRight(string(runes[:maxSubject-1]), " ") + "…", false
	}
	return line, !more
}

// opening is what a subject begins with.
func opening(e Entry) string {
	phrase := strings.NewReplacer("FROM", e.From, "TO", e.To, "WEIGHT", strconv.Itoa(e.Weight)).Replace(phrases[e.Action])
	return e.Model + ": " + strings.Join(strings.Fields(phrase), " ") // either revision may be empty
}

// oneLine makes printable text without line breaks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(s, ""))), " ")
}

// cleanText makes printable text: no empty lines around it, no spaces at the end
// of its lines.
func cleanText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	lines := slices.Collect(strings.SplitSeq(s, "\n"))
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.Map(printable, line), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// printable keeps what shows, makes every kind of space a space, and drops the
// rest: control characters, and those that turn or hide text.
func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsPrint(r):
		return r
	default:
		return -1
	}
}

// clip cuts a text to so many bytes, between characters.
func clip(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	cut := limit - len(mark)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimRight(s[:cut], " \n") + mark
}
