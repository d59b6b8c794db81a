package audit

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
)

// Row is one decision as an auditor reads it.
type Row struct {
	FormatVersion int       `json:"format_version"`
	Entry         string    `json:"entry"` // id of the journal's commit
	At            time.Time `json:"at"`
	What          string    `json:"what"` // promote, rollback, accept, ...
	Kind          string    `json:"kind"` // model, pipeline, repo, proposal
	Name          string    `json:"name"`
	Run           string    `json:"run,omitempty"`
	From          string    `json:"from,omitempty"` // revision; of an accept the commit
	To            string    `json:"to,omitempty"`
	Version       string    `json:"version,omitempty"`
	Weight        int       `json:"weight"`
	Actor         string    `json:"actor"`
	Reason        string    `json:"reason"`
	// Commit of the config repo that was followed, and Include, NAME@COMMIT, of the
	// included repo that declares the model, if one does. Who wrote, signed, approved and
	// merged is about the commit that declares the model, as far as the journal knows.
	Commit    string     `json:"commit,omitempty"`
	Include   string     `json:"include,omitempty"`
	Author    string     `json:"author,omitempty"`
	Signer    string     `json:"signer,omitempty"`
	Approvers []string   `json:"approvers,omitempty"`
	MergedBy  []string   `json:"merged_by,omitempty"`
	Pulls     []string   `json:"pulls,omitempty"` // addresses
	Evidence  []Evidence `json:"evidence,omitempty"`
}

// RowFormat is the FormatVersion of a Row.
const RowFormat = 1

// Evidence is the last word of one check.
type Evidence struct {
	Check   string    `json:"check"`
	Outcome string    `json:"outcome"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

// Rows makes the rows of entries, newest first as History gives them, in the same order.
// accepted are the entries about config repos, likewise, that tell where commits came
// from. Both come with their records; the accepted ones may be older than all others.
func Rows(entries, accepted []journal.Entry) []Row {
	known := NewProvenance(accepted)
	rows := make([]Row, len(entries))
	walking := map[string]*journal.Rollout{} // by model, before the entry
	for i, e := range slices.Backward(entries) {
		rows[i] = row(e, known.Of(e.DeclaredIn()))
		rows[i].Evidence = evidenceOf(e, walking[e.Model])
		if e.Model != "" {
			walking[e.Model] = nil
			if e.Record != nil {
				walking[e.Model] = e.Record.Rollout
			}
		}
	}
	return rows
}

func row(e journal.Entry, from *journal.RepoRecord) Row {
	r := Row{
		FormatVersion: RowFormat, Entry: e.ID, At: e.At.UTC(), What: string(e.Action), Kind: kindOf(e), Name: e.Subject(), Run: e.Run,
		From: e.From, To: e.To, Version: e.Version, Weight: e.Weight, Actor: e.Actor, Reason: e.Reason, Commit: e.Commit,
		Include: e.Include,
	}
	if from == nil {
		return r
	}
	c := commitIn(from, e.DeclaredIn())
	r.Author, r.Signer = c.Author, c.Signer
	for _, pull := range pullsOf(from, modelOf(e)) {
		r.Pulls = append(r.Pulls, pull.URL)
		for _, a := range pull.Approvals {
			r.Approvers = appendNew(r.Approvers, a.By)
		}
		r.MergedBy = appendNew(r.MergedBy, pull.MergedBy)
	}
	return r
}

func appendNew(list []string, name string) []string {
	if name == "" || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

func kindOf(e journal.Entry) string {
	switch e.Folder() {
	case journal.PipelineFolder:
		return "pipeline"
	case journal.RepoFolder:
		return "repo"
	case journal.ProposalFolder:
		return "proposal"
	default:
		return "model"
	}
}

// modelOf is the model that an entry is about; "" if it is about none.
func modelOf(e journal.Entry) string {
	if e.ProposalRecord != nil {
		return e.ProposalRecord.Model
	}
	return e.Model
}

// evidenceOf is what the checks had said when it was decided: in the ledger, where a
// release was rejected, else in the rollout that is under way, or just was.
func evidenceOf(e journal.Entry, before *journal.Rollout) (list []Evidence) {
	if e.Record == nil {
		return nil
	}
	if rejected := e.Record.Rejection(e.From); rejected != nil && rejected.At.Equal(e.At) {
		for _, v := range rejected.Evidence {
			list = append(list, evidenceFrom(v))
		}
		return list
	}
	rollout := e.Record.Rollout
	if rollout == nil && before != nil && (before.Candidate.Revision == e.To || before.Candidate.Revision == e.From) {
		rollout = before
	}
	if rollout == nil {
		return nil
	}
	for _, check := range slices.Sorted(maps.Keys(rollout.Checks)) {
		if last := rollout.Checks[check].Last; last != nil {
			list = append(list, evidenceFrom(*last))
		}
	}
	return list
}

func evidenceFrom(v judge.Verdict) Evidence {
	return Evidence{Check: v.Check, Outcome: string(v.Outcome), At: v.At.UTC(), Text: v.Text}
}

// WriteJSONLines writes a row on each line.
func WriteJSONLines(w io.Writer, rows []Row) error {
	to := json.NewEncoder(w)
	to.SetEscapeHTML(false)
	for _, r := range rows {
		if err := to.Encode(r); err != nil {
			return fmt.Errorf("write the audit as JSON Lines: %w", err)
		}
	}
	return nil
}

// columns are those of WriteCSV. New ones go to the end: some read them by their number.
var columns = []string{
	"entry", "at", "what", "kind", "name", "run", "from", "to", "version", "weight", "actor", "reason",
	"commit", "author", "signer", "approvers", "merged_by", "pulls", "evidence", "include",
}

// WriteCSV writes a table with commas and quotes as RFC 4180 has them, and a line of names. What a spreadsheet
// would take for a formula begins with a quote.
func WriteCSV(w io.Writer, rows []Row) error {
	to := csv.NewWriter(w)
	if err := to.Write(columns); err != nil {
		return fmt.Errorf("write the audit as CSV: %w", err)
	}
	for _, r := range rows {
		fields := []string{
			r.Entry, r.At.Format(time.RFC3339Nano), r.What, r.Kind, r.Name, r.Run, r.From, r.To, r.Version, strconv.Itoa(r.Weight), r.Actor, r.Reason,
			r.Commit, r.Author, r.Signer, strings.Join(r.Approvers, " "), strings.Join(r.MergedBy, " "), strings.Join(r.Pulls, " "), evidenceText(r.Evidence), r.Include,
		}
		for i, f := range fields {
			fields[i] = harmless(f)
		}
		if err := to.Write(fields); err != nil {
			return fmt.Errorf("write the audit as CSV: %w", err)
		}
	}
	to.Flush()
	if err := to.Error(); err != nil {
		return fmt.Errorf("write the audit as CSV: %w", err)
	}
	return nil
}

func evidenceText(evidence []Evidence) string {
	texts := make([]string, len(evidence))
	for i, e := range evidence {
		texts[i] = fmt.Sprintf("%s %s: %s", e.Check, e.Outcome, e.Text)
	}
	return strings.Join(texts, "; ")
}

// harmless keeps a spreadsheet from running what is meant to be read, as OWASP describes
// it under CSV injection.
func harmless(field string) string {
	if begin := strings.TrimLeft(field, " "); begin != "" && strings.ContainsRune("=+-@\t\r\n'", rune(begin[0])) {
		return "'" + field
	}
	return field
}
