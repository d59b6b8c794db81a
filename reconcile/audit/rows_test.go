package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
)

// accepts is the decision to follow a commit, by a pull request that touches objects.
func accepts(n int, commit string, objects ...string) journal.Entry {
	at := day.Add(time.Duration(n) * time.Minute)
	e := journal.Entry{
		ID: fmt.Sprintf("%040x", 5000+n), At: at, Action: journal.ActionAccept, Repo: journal.RootRepo, To: commit, Commit: commit, Actor: journal.Daemon,
		RepoRecord: &journal.RepoRecord{
			Repo: journal.RootRepo, Accepted: commit, Author: "Forge <noreply@forge>", Subject: "Merge", Mode: "every", Since: at,
			Commits: []journal.AcceptedCommit{
				{ID: "feature-" + commit, Author: "Ann <ann@x>", Signer: "ann", Key: "SHA256:ann"},
				{ID: commit, Author: "Forge <noreply@forge>", Signer: "forge", Key: "SHA256:forge"},
			},
		},
	}
	for i, object := range objects {
		e.RepoRecord.Pulls = append(e.RepoRecord.Pulls, journal.AcceptedPull{
			Number: 10*n + i, URL: fmt.Sprintf("https://forge/pull/%d", 10*n+i), Author: "ann", MergedBy: "bob",
			Approvals: []journal.Approver{{By: "bob", At: at}, {By: "cid", At: at}}, Objects: []string{object},
		})
	}
	return e
}

// decided is a decision about digits under a commit.
func decided(n int, action journal.Action, version, commit string) journal.Entry {
	e := promoted(n)
	e.Action, e.Version, e.Commit = action, version, commit
	e.To = "rev-" + version
	e.Record.Stable.Revision = e.To
	return e
}

func newestFirst(entries ...journal.Entry) []journal.Entry {
	slices.Reverse(entries)
	return entries
}

func TestRowTellsWhoAndWhy(t *testing.T) {
	start := decided(2, journal.ActionStart, "1.2", "c1")
	last := judge.Verdict{Check: "errors", Outcome: judge.Pass, At: day, Text: "errors 0.1 %"}
	start.Record.Rollout = &journal.Rollout{Candidate: journal.Release{Revision: start.To}, Checks: map[string]judge.Evidence{"errors": {Last: &last}, "unseen": {}}}
	promote := decided(3, journal.ActionPromote, "1.2", "c1")
	back := decided(5, journal.ActionRollback, "1.2", "c2")
	back.From = "rev-1.3"
	back.Record.Rejected = []journal.Rejection{{Release: journal.Release{Revision: "rev-1.3"}, At: back.At, Evidence: []judge.Verdict{{Check: "latency", Outcome: judge.Fail, Text: "too slow"}}}}
	ended := journal.Entry{ID: "e", At: day, Action: journal.ActionEnd, Pipeline: "train", Run: "train-1", Reason: "succeeded", Actor: journal.Daemon}
	rows := Rows(newestFirst(ended, start, promote, back), newestFirst(accepts(1, "c1", "model.digits", "model.other")))
	if len(rows) != 4 || rows[3].Kind != "pipeline" || rows[3].Name != "train" || rows[3].Run != "train-1" {
		t.Fatalf("got %+v", rows)
	}
	got := rows[1]
	want := Row{
		FormatVersion: 1, Entry: promote.ID, At: promote.At, What: "promote", Kind: "model", Name: "digits", To: "rev-1.2", Version: "1.2", Weight: 100,
		Actor: journal.Daemon, Reason: promote.Reason, Commit: "c1", Author: "Forge <noreply@forge>", Signer: "forge",
		Approvers: []string{"bob", "cid"}, MergedBy: []string{"bob"}, Pulls: []string{"https://forge/pull/10"},
		Evidence: []Evidence{{Check: "errors", Outcome: "pass", At: day, Text: "errors 0.1 %"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if e := rows[0].Evidence; len(e) != 1 || e[0].Text != "too slow" || rows[0].Author != "" {
		t.Errorf("got %+v", rows[0])
	}
}

func TestJSONLinesAreRows(t *testing.T) {
	rows := Rows([]journal.Entry{promoted(2), promoted(1)}, nil)
	var out bytes.Buffer
	if err := WriteJSONLines(&out, rows); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var got Row
		if err := json.Unmarshal([]byte(line), &got); err != nil || !reflect.DeepEqual(got, rows[i]) {
			t.Errorf("line %d is %s, %v", i, line, err)
		}
	}
}

func TestCSVIsReadBackAndRunsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"=1+1", "+x", "-x", "@SUM(A1)", "\t=1", " =1", "'=1", "\r\n=x", "a\"b,c\nd", ""}))
		rows := []Row{{
			Entry: text.Draw(t, "entry"), Reason: text.Draw(t, "reason"), Author: text.Draw(t, "author"), Actor: text.Draw(t, "actor"),
			Approvers: []string{text.Draw(t, "approver")}, Evidence: []Evidence{{Check: text.Draw(t, "check"), Text: text.Draw(t, "evidence")}},
		}}
		var out bytes.Buffer
		if err := WriteCSV(&out, rows); err != nil {
			t.Fatal(err)
		}
		read, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(read) != 2 || !slices.Equal(read[0], columns) || len(read[1]) != len(columns) {
			t.Fatalf("read back it is %q, %v", read, err)
		}
		for i, field := range read[1] {
			if f := strings.TrimLeft(field, " "); f != "" && strings.ContainsRune("=+-@\t\r\n", rune(f[0])) {
				t.Fatalf("%s is %q", columns[i], field)
			}
		}
		if got, want := read[1][11], rows[0].Reason; strings.ReplaceAll(strings.TrimPrefix(got, "'"), "\r\n", "\n") != strings.ReplaceAll(want, "\r\n", "\n") && got != want {
			t.Fatalf("the reason %q is read back as %q", want, got)
		}
	})
}
