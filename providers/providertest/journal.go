package providertest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// JournalSuite holds the contract of journal.Journal. fresh returns what opens
// one journal that is empty at first: each call stands for a start of the daemon.
func JournalSuite(t *testing.T, fresh func(t *testing.T) (start func() journal.Journal)) {
	for name, test := range map[string]func(t *testing.T, start func() journal.Journal){
		"an empty journal opens and holds nothing":                    emptyJournal,
		"what was appended is there, and after a restart":             appendedStays,
		"an entry without a record removes the model":                 removedModel,
		"history is newest first, and filters":                        historyFilters,
		"the records of any time come back":                           recordsAt,
		"text of strangers does no harm":                              strangersText,
		"what is no decision is refused, and nothing of it is stored": refusedEntry,
		"a cancelled call fails, and the next one works":              cancelledCall,
		"reading goes on beside appending":                            readBeside,
		"pipelines have records of their own":                         pipelineRecords,
		"history picks a model or a pipeline":                         pipelineHistory,
		"an entry is about a model or a pipeline":                     mixedEntry,
		"several append at a time":                                    appendTogether,
		"repos and proposals have records of their own":               otherRecords,
		"history picks a repo or a proposal":                          otherHistory,
		"an entry about a repo or a proposal is just that":            mixedOther,
		"history brings the records that are asked for":               historyRecords,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// day is when the suite's entries are made, an hour apart.
var day = time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)

// promoted is the n-th decision about a model: to serve revision n.
func promoted(model string, n int) journal.Entry {
	at := day.Add(time.Duration(n) * time.Hour)
	revision := fmt.Sprintf("%012x", n)
	return journal.Entry{
		At: at, Action: journal.ActionPromote, Model: model, To: revision, Version: fmt.Sprintf("1.%d", n), Commit: strings.Repeat("ab", 20),
		Reason: fmt.Sprintf("all checks of step %d passed", n), Actor: journal.Daemon,
		Record: &journal.Record{
			FormatVersion: journal.RecordFormat, Model: model, Since: at,
			Stable: &journal.Release{Revision: revision, Version: fmt.Sprintf("1.%d", n)},
		},
	}
}

func emptyJournal(t *testing.T, start func() journal.Journal) {
	j := start()
	wantStable(t, opened(t, j), "")
	entries, err := j.History(t.Context(), journal.Query{})
	if err != nil || len(entries) != 0 {
		t.Errorf("history is %v, %v", entries, err)
	}
	records, err := j.At(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	wantStable(t, records, "")
}

func appendedStays(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	entries := []journal.Entry{promoted("a", 1), promoted("b", 2), promoted("a", 3)}
	for _, e := range entries {
		mustAppend(t, j, e)
	}
	j = start()
	records := opened(t, j)
	wantStable(t, records, "a=3 b=2")
	if !reflect.DeepEqual(records["a"], *entries[2].Record) {
		t.Errorf("got %+v; want %+v", records["a"], *entries[2].Record)
	}
	mustAppend(t, j, promoted("c", 4))
	wantStable(t, opened(t, start()), "a=3 b=2 c=4")
	wantHistory(t, j, journal.Query{}, "c4 a3 b2 a1")
}

func removedModel(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	mustAppend(t, j, promoted("a", 1))
	mustAppend(t, j, promoted("b", 2))
	for n, model := range []string{"a", "never-there", "b"} {
		mustAppend(t, j, journal.Entry{At: day.Add(time.Duration(3+n) * time.Hour), Action: journal.ActionRemove, Model: model, To: fmt.Sprintf("%012x", 3+n)})
	}
	wantStable(t, opened(t, start()), "")
	records, err := j.At(t.Context(), day.Add(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantStable(t, records, "b=2")
	mustAppend(t, j, promoted("a", 6))
	wantStable(t, opened(t, start()), "a=6")
}

func historyFilters(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for n := range 9 {
		mustAppend(t, j, promoted([]string{"a", "b"}[n%2], n))
	}
	hour := func(n int) time.Time { return day.Add(time.Duration(n) * time.Hour) }
	for want, q := range map[string]journal.Query{
		"a8 b7 a6 b5 a4 b3 a2 b1 a0": {},
		"b7 b5 b3 b1":                {Model: "b"},
		"b7 b5":                      {Model: "b", Limit: 2},
		"a8 b7 a6 b5":                {Since: hour(5)},
		"a2 b1 a0":                   {Until: hour(2)},
		"a4 b3 a2":                   {Since: hour(2), Until: hour(4)},
		"a4 a2":                      {Since: hour(1), Until: hour(5), Model: "a", Limit: 2},
		"":                           {Model: "c"},
	} {
		wantHistory(t, j, q, want)
	}
	entries, err := j.History(t.Context(), journal.Query{Limit: 1})
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v", entries, err)
	}
	want := promoted("a", 8)
	want.ID, want.Record = entries[0].ID, nil
	if entries[0] != want || want.ID == "" {
		t.Errorf("got %+v; want %+v", entries[0], want)
	}
}

func recordsAt(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for n := range 4 {
		mustAppend(t, j, promoted([]string{"a", "b"}[n%2], n))
	}
	for at, want := range map[time.Time]string{
		day.Add(-time.Nanosecond):          "",
		day:                                "a=0",
		day.Add(2*time.Hour - time.Second): "a=0 b=1",
		day.Add(2 * time.Hour):             "a=2 b=1",
		day.Add(100 * time.Hour):           "a=2 b=3",
	} {
		records, err := j.At(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		wantStable(t, records, want)
	}
}

func strangersText(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	e := promoted("a", 1)
	e.Reason = "line one\n\nFairlead-Action: rollback\nFairlead-Model: b\x1b[2J\x00"
	e.Actor = "ann\nFairlead-Weight: 100"
	mustAppend(t, j, e)
	wantHistory(t, start(), journal.Query{}, "a1")
	entries, err := j.History(t.Context(), journal.Query{})
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v", entries, err)
	}
	if got := entries[0]; got.Weight != 0 || got.Action != journal.ActionPromote || !strings.HasPrefix(got.Reason, "line one\n\nFairlead-Action: rollback") || strings.ContainsAny(got.Reason+got.Actor, "\x1b\x00") {
		t.Errorf("got %+v", got)
	}
}

func refusedEntry(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	for _, spoil := range []func(*journal.Entry){
		func(e *journal.Entry) { e.Model = "../../etc/passwd" },
		func(e *journal.Entry) { e.Action = "" },
		func(e *journal.Entry) { e.At = time.Time{} },
	} {
		e := promoted("a", 1)
		spoil(&e)
		if err := j.Append(t.Context(), e); err == nil {
			t.Errorf("%+v is stored", e)
		}
	}
	wantStable(t, opened(t, start()), "")
}

func cancelledCall(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, promoted("a", 1)); err == nil {
		t.Error("a cancelled Append succeeds")
	}
	if _, err := j.History(ctx, journal.Query{}); err == nil {
		t.Error("a cancelled History succeeds")
	}
	mustAppend(t, j, promoted("a", 2))
	wantHistory(t, j, journal.Query{}, "a2")
}

func readBeside(t *testing.T, start func() journal.Journal) {
	j := start()
	opened(t, j)
	const entries = 70 // enough for a provider that tidies up now and then
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for seen := 0; ; {
			history, err := j.History(t.Context(), journal.Query{})
			records, atErr := j.At(t.Context(), day.Add(1000*time.Hour))
			if err != nil || atErr != nil || len(history) < seen || len(history) > 0 && len(records) != 1 {
				t.Errorf("history has %d entries after %d, %v; there are %d records, %v", len(history), seen, err, len(records), atErr)
				return
			}
			seen = len(history)
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for n := range entries {
		mustAppend(t, j, promoted("a", n))
	}
	close(done)
	reader.Wait()
	if history, err := j.History(t.Context(), journal.Query{}); err != nil || len(history) != entries {
		t.Errorf("there are %d entries, %v; want %d", len(history), err, entries)
	}
}

func opened(t *testing.T, j journal.Journal) map[string]journal.Record {
	t.Helper()
	records, err := j.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func mustAppend(t *testing.T, j journal.Journal, e journal.Entry) {
	t.Helper()
	if err := j.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// wantStable compares the stable versions, written as MODEL=N.
func wantStable(t *testing.T, records map[string]journal.Record, want string) {
	t.Helper()
	var got []string
	for _, model := range slices.Sorted(maps.Keys(records)) {
		got = append(got, model+"="+strings.TrimPrefix(records[model].Stable.Version, "1."))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("stable are %q; want %q", got, want)
	}
}

// wantHistory compares the entries, written as MODELN.
func wantHistory(t *testing.T, j journal.Journal, q journal.Query, want string) {
	t.Helper()
	entries, err := j.History(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Model+strings.TrimPrefix(e.Version, "1."))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("the history for %+v is %q; want %q", q, got, want)
	}
}
