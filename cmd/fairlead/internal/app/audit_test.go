package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// approvedJournal has digits 1.0.0, which is promoted, and 1.1.0, which is rolled back.
func approvedJournal(t *testing.T) journal.Journal {
	t.Helper()
	j := memory.NewJournal()
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	add := func(e journal.Entry) {
		at = at.Add(time.Minute)
		e.At, e.Actor = at, journal.Daemon
		switch e.Action {
		case journal.ActionAccept:
			e.Repo, e.To = journal.RootRepo, e.Commit
			e.RepoRecord = &journal.RepoRecord{Repo: e.Repo, Accepted: e.To, Since: at, Author: "Ann", Pulls: []journal.AcceptedPull{{Number: 1, MergedBy: "bob"}}}
		default:
			e.Model, e.Record = "digits", &journal.Record{Since: at}
		}
		if err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	add(journal.Entry{Action: journal.ActionAccept, Commit: "c1", Reason: "first"})
	add(journal.Entry{Action: journal.ActionPromote, To: "r1", Version: "1.0.0", Commit: "c1", Reason: "first deployment"})
	add(journal.Entry{Action: journal.ActionAccept, Commit: "c2", Reason: "second"})
	add(journal.Entry{Action: journal.ActionStart, From: "r1", To: "r2", Version: "1.1.0", Commit: "c2", Reason: "Git wants it"})
	add(journal.Entry{Action: journal.ActionRollback, From: "r2", To: "r1", Version: "1.0.0", Commit: "c2", Reason: "5 % failed"})
	return j
}

func TestApprovalTellsHowTheRolloutEnded(t *testing.T) {
	j := approvedJournal(t)
	for version, end := range map[string]string{"1.0.0": "promote first deployment", "1.1.0": "rollback 5 % failed"} {
		a, err := WhoApproved(t.Context(), j, "prod", "digits", version)
		if err != nil || a.Outcome == nil || a.Outcome.What+" "+a.Outcome.Reason != end || a.Author != "Ann" || a.Environment != "prod" {
			t.Errorf("%s: got %+v, %v", version, a, err)
		}
	}
	for want, version := range map[string]string{"it knows 1.0.0, 1.1.0": "2", "no model of that name": ""} {
		model := "digits"
		if version == "" {
			model, version = "churn", "1"
		}
		if _, err := WhoApproved(t.Context(), j, "prod", model, version); !errors.Is(err, errNeverCame) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestAuditRowsAreTheOldestFirst(t *testing.T) {
	j := approvedJournal(t)
	all, err := ReadAuditRows(t.Context(), j, time.Time{}, time.Time{})
	if err != nil || len(all.Rows) != 5 || all.Rows[0].What != "accept" || all.Rows[4].What != "rollback" || all.Rows[4].MergedBy[0] != "bob" {
		t.Fatalf("got %+v, %v", all, err)
	}
	some, err := ReadAuditRows(t.Context(), j, all.Rows[3].At, all.Rows[3].At)
	if err != nil || len(some.Rows) != 1 || some.Rows[0].Author != "Ann" {
		t.Errorf("got %+v, %v", some, err)
	}
}

func TestHistoryPicksByParameters(t *testing.T) {
	q, err := historyQuery(map[string][]string{"pipeline": {"train"}, "repo": {"root"}, "proposal": {"pin-digits"}, "action": {"accept", "propose"}})
	if err != nil || q.Pipeline != "train" || q.Repo != "root" || q.Proposal != "pin-digits" || len(q.Actions) != 2 || q.Actions[1] != journal.ActionPropose {
		t.Errorf("got %+v, %v", q, err)
	}
}

func TestAuditIsAskedOfADaemonThatActs(t *testing.T) {
	h := idleDaemon(t, writeToken(t, apiToken)).handler(true)
	for path, want := range map[string]int{
		"/api/v1/audit/head": http.StatusServiceUnavailable, "/api/v1/audit/rows": http.StatusServiceUnavailable, "/api/v1/audit/rows?from=x": http.StatusBadRequest,
		"/api/v1/audit/approval?model=a": http.StatusBadRequest, "/api/v1/audit/approval?model=a&version=1": http.StatusServiceUnavailable,
	} {
		if code, body, _ := call(t, h, http.MethodGet, path, "Bearer "+apiToken); code != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if code, _, _ := call(t, h, http.MethodGet, path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, code)
		}
	}
}

func TestHeadsAreFilesOrWholeIDs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "head")
	id := strings.Repeat("ab", 20)
	if err := os.WriteFile(file, []byte(id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	heads, err := readHeads([]string{file, id})
	if err != nil || len(heads) != 2 || heads[0].Commit != id || heads[0].Source != file || heads[1].Source != "--head" {
		t.Errorf("got %+v, %v", heads, err)
	}
	for arg, want := range map[string]string{"abcdef": "all 40 digits", "nowhere.json": "no such file", filepath.Dir(file): "is a directory"} {
		if _, err := readHeads([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", arg, err)
		}
	}
}

// imagesOf answers for a registry: digests by reference.
type imagesOf map[string]string

func (imagesOf) Tags(context.Context, string) ([]string, error) { return nil, nil }

func (m imagesOf) ResolveImage(_ context.Context, ref string) (string, error) {
	switch digest, known := m[ref]; {
	case digest == "denied":
		return "", errors.New("docker.io does not let us in (401)")
	case digest == "away":
		return "", fmt.Errorf("resolve %s: %w", ref, reconcile.ErrUnavailable)
	case !known:
		return "", fmt.Errorf("resolve %s: %w", ref, reconcile.ErrImageNotFound)
	default:
		return digest, nil
	}
}

func TestPinningTellsUnknownImagesFromRegistriesThatAreAway(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	ask := imagesOf{"a:1": digest, "ghcr.io/b": digest, "away:1": "away", "team/denied:1": "denied", "team/away:1": "away", "ghcr.io/away:1": "away", "ghcr.io/denied:1": "denied"}
	unknown := []string{"local:1", "ghcr.io/gone:1", "away:1", "team/denied:1", strings.Repeat("ab", 32), "Not An Image"}
	got, err := pinImages(t.Context(), ask, append([]string{"a:1", "ghcr.io/b"}, unknown...))
	if err != nil || got["a:1"].Ref != "a:1@"+digest || got["ghcr.io/b"].Ref != "ghcr.io/b@"+digest {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, ref := range unknown {
		if p, there := got[ref]; !there || p.Ref != "" || p.Why == "" || p.Unasked != (ref == "away:1") {
			t.Errorf("%s: got %+v", ref, p)
		}
	}
	for _, ref := range []string{"team/away:1", "ghcr.io/away:1", "ghcr.io/denied:1"} {
		if got, err := pinImages(t.Context(), ask, []string{"a:1", ref}); err == nil {
			t.Errorf("%s: got %+v", ref, got)
		}
	}
}
