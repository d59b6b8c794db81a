package journal

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
)

// ErrForeign: a commit of the journal's branch was not written by Fairlead.
var ErrForeign = errors.New("this commit is no entry of the journal")

// The trailers of a message, in their order.
const (
	trailerAction   = "Fairlead-Action"
	trailerModel    = "Fairlead-Model"
	trailerPipeline = "Fairlead-Pipeline"
	trailerRepo     = "Fairlead-Repo"
	trailerProposal = "Fairlead-Proposal-Key"
	trailerRun      = "Fairlead-Run"
	trailerFrom     = "Fairlead-From"
	trailerTo       = "Fairlead-To"
	trailerVersion  = "Fairlead-Version"
	trailerWeight   = "Fairlead-Weight"
	trailerCommit   = "Fairlead-Commit"
	trailerInclude  = "Fairlead-Include"
	trailerActor    = "Fairlead-Actor"
	trailerAt       = "Fairlead-At"
	trailerJournal  = "Fairlead-Journal" // of a signed entry only, see BindMessage
)

const (
	maxSubject = 100     // characters of the line that `git log --oneline` shows
	maxReason  = 8 << 10 // bytes: a reason may come from a person, or from a server's answer
	maxActor   = 200     // bytes
)

// phrases say what an action on a model does, for the subject: FROM, TO and
// WEIGHT are filled in.
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

// pipelinePhrases say what an action on a pipeline does, likewise, with RUN, TO and
// VERSION.
var pipelinePhrases = map[Action]string{
	ActionSchedule: "schedule",
	ActionRun:      "run RUN",
	ActionOverride: "override TO of RUN",
	ActionPublish:  "publish VERSION",
	ActionEnd:      "end RUN",
	ActionRemove:   "remove",
}

// repoPhrases and proposalPhrases say what an action on a config repo or a proposal
// does, likewise.
var (
	repoPhrases     = map[Action]string{ActionAccept: "accept TO", ActionRemove: "remove"}
	proposalPhrases = map[Action]string{ActionPropose: "propose", ActionConclude: "conclude", ActionRemove: "remove"}
)

// ofRun tells whether an action on a pipeline is about one of its runs.
func ofRun(a Action) bool { return a != ActionSchedule && a != ActionRemove }

// EncodeMessage writes an entry as the message of its commit: a subject for
// people that ends with the reason, the whole reason where that is longer, and
// trailers for programs. The reason and the actor may be
// anybody's text. They lose what could steer a terminal, and the trailers are the
// last paragraph whatever the reason looks like, so it cannot forge any.
func EncodeMessage(e Entry) (string, error) {
	if err := e.check(); err != nil {
		return "", fmt.Errorf("write the decision about %q into the journal: %w", e.Subject(), err)
	}
	e = e.cleaned()
	var b strings.Builder
	line, whole := subject(e)
	b.WriteString(line + "\n\n")
	if !whole {
		b.WriteString(e.Reason + "\n\n")
	}
	weight := ""
	if e.Model != "" {
		weight = strconv.Itoa(e.Weight)
	}
	for _, t := range [][2]string{
		{trailerAction, string(e.Action)},
		{trailerModel, e.Model},
		{trailerPipeline, e.Pipeline},
		{trailerRepo, e.Repo},
		{trailerProposal, e.Proposal},
		{trailerRun, e.Run},
		{trailerFrom, e.From},
		{trailerTo, e.To},
		{trailerVersion, e.Version},
		{trailerWeight, weight},
		{trailerCommit, e.Commit},
		{trailerInclude, e.Include},
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
	head, last := lastParagraph(message)
	trailers, err := parseTrailers(last)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Action: Action(trailers[trailerAction]), Model: trailers[trailerModel],
		Pipeline: trailers[trailerPipeline], Run: trailers[trailerRun], Repo: trailers[trailerRepo], Proposal: trailers[trailerProposal],
		From: trailers[trailerFrom], To: trailers[trailerTo], Version: trailers[trailerVersion],
		Commit: trailers[trailerCommit], Include: trailers[trailerInclude], Actor: trailers[trailerActor],
	}
	weight, weighted := trailers[trailerWeight]
	if e.Weight, err = strconv.Atoi(weight); err != nil && (weighted || e.Model != "") {
		return Entry{}, fmt.Errorf("%s is %q and not a number", trailerWeight, weight)
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
		e.Reason = strings.TrimPrefix(line, opening(e)+e.colon())
	}
	return e.cleaned(), nil
}

// BindMessage names the journal's branch in what EncodeMessage wrote. Who signs that
// signs it for this journal: the same commits are worth nothing as that of another
// environment.
func BindMessage(message, branch string) string {
	return message + trailerJournal + ": " + branch + "\n"
}

// BoundTo is the branch that an entry names; "" where it names none. entry is false where
// the message claims to be no entry at all.
func BoundTo(message string) (branch string, entry bool) {
	_, last := lastParagraph(message)
	trailers, err := parseTrailers(last)
	return trailers[trailerJournal], err == nil
}

// lastParagraph cuts a message in two.
func lastParagraph(message string) (head, last string) {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n")
	if i := strings.LastIndex(message, "\n\n"); i >= 0 {
		return message[:i], message[i+2:]
	}
	return "", message
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
	validInclude  = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,63}@[0-9a-f]{1,64})?$`)
	validRun      = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,127}$`) // a name, and a number behind it, or a kind before it
)

// check refuses what no decision can be.
func (e *Entry) check() error {
	switch {
	case e.subjects() != 1:
		return fmt.Errorf("it is about the model %q, the pipeline %q, the repo %q and the proposal %q; a decision is about one of them", e.Model, e.Pipeline, e.Repo, e.Proposal)
	case !validRevision.MatchString(e.From), !validRevision.MatchString(e.To):
		return fmt.Errorf("the revisions are %q and %q, which is not what a revision looks like", e.From, e.To)
	case !validCommit.MatchString(e.Commit):
		return fmt.Errorf("the commit is %q, which is not what one looks like", e.Commit)
	case !validInclude.MatchString(e.Include):
		return fmt.Errorf("the include is %q, which is not NAME@COMMIT", e.Include)
	case e.At.IsZero(), e.At.Year() < 1970 || e.At.Year() > 9999:
		return fmt.Errorf("the time is %s, which no clock shows", e.At)
	case e.Pipeline != "":
		return e.checkPipeline()
	case e.Repo != "":
		return e.checkOther(repoPhrases, "repo", e.RepoRecord == nil || e.RepoRecord.Repo == "" || e.RepoRecord.Repo == e.Repo)
	case e.Proposal != "":
		return e.checkOther(proposalPhrases, "proposal", e.ProposalRecord == nil || e.ProposalRecord.Proposal == "" || e.ProposalRecord.Proposal == e.Proposal)
	default:
		return e.checkModel()
	}
}

// subjects counts what it is about.
func (e *Entry) subjects() (n int) {
	for _, name := range []string{e.Model, e.Pipeline, e.Repo, e.Proposal} {
		if name != "" {
			n++
		}
	}
	return n
}

// records counts the records that it holds.
func (e *Entry) records() (n int) {
	for _, there := range []bool{e.Record != nil, e.PipelineRecord != nil, e.RepoRecord != nil, e.ProposalRecord != nil} {
		if there {
			n++
		}
	}
	return n
}

// checkOther checks a decision about a repo or a proposal.
func (e *Entry) checkOther(known map[Action]string, kind string, itsOwn bool) error {
	_, ok := known[e.Action]
	switch {
	case !ok:
		return fmt.Errorf("the action is %q, which is none on a %s", e.Action, kind)
	case !validRun.MatchString(e.Subject()):
		return fmt.Errorf("%q is not the name of a %s", e.Subject(), kind)
	case e.Weight != 0, e.Run != "", e.Record != nil, e.PipelineRecord != nil, e.records() > 1, e.Repo != "" && e.ProposalRecord != nil, e.Proposal != "" && e.RepoRecord != nil:
		return fmt.Errorf("it holds what belongs to something else, and is about a %s", kind)
	case !itsOwn:
		return fmt.Errorf("the record is about another %s", kind)
	}
	return nil
}

func (e *Entry) checkModel() error {
	_, known := phrases[e.Action]
	switch {
	case !known:
		return e.unknownAction(pipelinePhrases, "pipeline")
	case !spec.ValidName(e.Model):
		return fmt.Errorf("%q is not the name of a model", e.Model)
	case e.Weight < 0 || e.Weight > 100:
		return fmt.Errorf("the weight is %d; it is from 0 to 100", e.Weight)
	case e.Run != "", e.PipelineRecord != nil, e.records() > 1, e.Record == nil && e.records() > 0:
		return errors.New("it holds a run, or the record of something else, and is about a model")
	case e.Record != nil && e.Record.Model != "" && e.Record.Model != e.Model:
		return fmt.Errorf("the record is about %q", e.Record.Model)
	}
	return nil
}

func (e *Entry) checkPipeline() error {
	_, known := pipelinePhrases[e.Action]
	switch {
	case !known:
		return e.unknownAction(phrases, "model")
	case !spec.ValidName(e.Pipeline):
		return fmt.Errorf("%q is not the name of a pipeline", e.Pipeline)
	case ofRun(e.Action) && !validRun.MatchString(e.Run), !ofRun(e.Action) && e.Run != "":
		return fmt.Errorf("the run is %q; every decision about a pipeline but its schedule and its removal is about a run, PIPELINE-NUMBER", e.Run)
	case e.Weight != 0, e.Record != nil, e.RepoRecord != nil, e.ProposalRecord != nil:
		return errors.New("it holds a weight, or the record of something else, and is about a pipeline")
	case e.PipelineRecord != nil && e.PipelineRecord.Pipeline != "" && e.PipelineRecord.Pipeline != e.Pipeline:
		return fmt.Errorf("the record is about %q", e.PipelineRecord.Pipeline)
	}
	return nil
}

// unknownAction tells an action of the other kind of object from one of none.
func (e *Entry) unknownAction(others map[Action]string, kind string) error {
	if _, other := others[e.Action]; other {
		return fmt.Errorf("the action is %q, which is one on a %s", e.Action, kind)
	}
	return fmt.Errorf("the action is %q, which this version of fairlead does not know", e.Action)
}

// cleaned is the entry as it is written and read.
func (e Entry) cleaned() Entry {
	e.Version = plain.Clip(plain.Line(e.Version), maxActor)
	e.Actor = plain.Clip(plain.Line(e.Actor), maxActor)
	e.Reason = plain.Clip(plain.Text(e.Reason), maxReason)
	e.At = e.At.Round(0).UTC()
	return e
}

// subject is one line that tells what was decided, and why as far as there is
// room. whole: it holds all of the reason.
func subject(e Entry) (line string, whole bool) {
	line = opening(e)
	why, _, more := strings.Cut(e.Reason, "\n")
	if why != "" {
		line += e.colon() + why
	}
	if runes := []rune(line); len(runes) > maxSubject {
		return strings.TrimRight(string(runes[:maxSubject-1]), " ") + "…", false
	}
	return line, !more
}

// colon stands between opening and reason. The reason of an end begins with the
// outcome: "end train_digits-12, succeeded".
func (e *Entry) colon() string {
	if e.Action == ActionEnd {
		return ", "
	}
	return ": "
}

// opening is what a subject begins with.
func opening(e Entry) string {
	phrase := phrases[e.Action]
	switch {
	case e.Pipeline != "":
		phrase = pipelinePhrases[e.Action]
	case e.Repo != "":
		phrase = repoPhrases[e.Action]
		e.To = e.To[:min(len(e.To), 12)]
	case e.Proposal != "":
		phrase = proposalPhrases[e.Action]
	}
	fill := strings.NewReplacer("FROM", e.From, "TO", e.To, "WEIGHT", strconv.Itoa(e.Weight), "RUN", e.Run, "VERSION", e.Version)
	return e.Subject() + ": " + strings.Join(strings.Fields(fill.Replace(phrase)), " ") // either revision may be empty
}
