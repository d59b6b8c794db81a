package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

var day = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)

// promoted is the n-th decision, about the model digits.
func promoted(n int) journal.Entry {
	at := day.Add(time.Duration(n) * time.Minute)
	revision := fmt.Sprintf("%012x", n)
	return journal.Entry{
		ID: fmt.Sprintf("%040x", n), At: at, Action: journal.ActionPromote, Model: "digits", To: revision, Version: fmt.Sprintf("1.%d", n), Weight: 100,
		Commit: fmt.Sprintf("%040x", 1000+n), Reason: "all steps have passed", Actor: journal.Daemon,
		Record: &journal.Record{Stable: &journal.Release{Revision: revision}, Since: at},
	}
}

// stored is an entry as it is stored.
func stored(t testing.TB, e journal.Entry) Commit {
	t.Helper()
	message, err := journal.EncodeMessage(e)
	if err != nil {
		t.Fatal(err)
	}
	record, err := e.EncodedRecord()
	if err != nil {
		t.Fatal(err)
	}
	by := Stamp{By: "Fairlead <fairlead@host>", When: e.At.Truncate(time.Second)}
	return Commit{
		ID: e.ID, Parents: []string{strings.Repeat("0", 40)}, Author: by, Committer: by, Message: message,
		Signature: reconcile.SignatureCheck{State: reconcile.SignatureGood, Key: "SHA256:abc"},
		Changes:   []Change{{Path: e.Folder() + "/" + journal.FileName(e.Subject()), Regular: true, Data: record, Removed: record == nil}},
	}
}

var strict = Rules{Signed: true, Committers: []string{"Fairlead <fairlead@host>"}}

func TestGoodCommitBreaksNoRule(t *testing.T) {
	before := stored(t, promoted(5))
	back := promoted(3) // the clock went back
	late := stored(t, back)
	late.Committer.When = before.Committer.When
	removed := stored(t, journal.Entry{At: day.Add(time.Hour), Action: journal.ActionRemove, Model: "digits", Actor: journal.Daemon})
	ledger := &journal.Record{Rejected: []journal.Rejection{{Release: journal.Release{Revision: "bad"}, Cause: journal.CauseFailed, At: day}}, Since: day.Add(time.Hour)}
	left := stored(t, journal.Entry{At: day.Add(time.Hour), Action: journal.ActionRemove, Model: "digits", Actor: journal.Daemon, Record: ledger})
	never := removed
	never.Changes = nil
	for name, c := range map[string]Commit{"next": stored(t, promoted(6)), "a clock that goes back": late, "a removal": removed, "a removal that leaves the ledger": left, "a removal of nothing": never} {
		if problems := strict.Check(c, &before); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	first := stored(t, promoted(1))
	first.Parents = nil
	if problems := strict.Check(first, nil); len(problems) > 0 {
		t.Errorf("the first one: %v", problems)
	}
}

func TestEntryIsOfItsJournal(t *testing.T) {
	rules := strict
	rules.Journal = "fairlead/journal/prod"
	bound := func(n int, branch string) Commit {
		c := stored(t, promoted(n))
		c.Message = journal.BindMessage(c.Message, branch)
		return c
	}
	old, ours, staging := stored(t, promoted(5)), bound(5, rules.Journal), bound(6, "fairlead/journal/staging")
	for name, c := range map[string]struct {
		rules     Rules
		it        Commit
		before    *Commit
		complaint string
	}{
		"named":                        {rules, bound(6, rules.Journal), &ours, ""},
		"named after old ones":         {rules, bound(6, rules.Journal), &old, ""},
		"old ones":                     {rules, stored(t, promoted(6)), &old, ""},
		"an old one after a named one": {rules, stored(t, promoted(6)), &ours, "does not say which journal"},
		"another journal":              {rules, staging, &ours, "the journal fairlead/journal/staging"},
		"another journal, first":       {rules, staging, nil, "the journal fairlead/journal/staging"},
		"another journal, no keys":     {Rules{Journal: rules.Journal}, staging, &old, "the journal fairlead/journal/staging"},
		"unsigned again, without keys": {Rules{Journal: rules.Journal}, stored(t, promoted(6)), &ours, ""},
		"whatever it is, nobody asks":  {strict, staging, &ours, ""},
		"twice, of which one is a lie": {rules, func() Commit { c := bound(6, "x"); c.Message = journal.BindMessage(c.Message, rules.Journal); return c }(), &ours, "twice"},
		"only said in the reason of it": {rules, func() Commit {
			e := promoted(6)
			e.Reason = "x\n\nFairlead-Journal: " + rules.Journal
			return stored(t, e)
		}(), &ours, "does not say which journal"},
	} {
		problems := c.rules.Check(c.it, c.before)
		switch {
		case c.complaint == "" && len(problems) > 0:
			t.Errorf("%s: %v", name, problems)
		case c.complaint != "" && (len(problems) != 1 || !strings.Contains(problems[0].Reason, c.complaint)):
			t.Errorf("%s: %v; want %q", name, problems, c.complaint)
		}
	}
}

func TestEachRuleIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Commit)
		rule  Rule
		words string
	}{
		"unsigned":    {func(c *Commit) { c.Signature = reconcile.SignatureCheck{State: reconcile.SignatureNone} }, RuleSignature, "not signed"},
		"another key": {func(c *Commit) { c.Signature = reconcile.SignatureCheck{State: reconcile.SignatureUnknown} }, RuleSignature, "not one of the journal's"},
		"bad signature": {func(c *Commit) {
			c.Signature = reconcile.SignatureCheck{State: reconcile.SignatureBad, Reason: "cut short"}
		}, RuleSignature, "cut short"},
		"no outcome":        {func(c *Commit) { c.Signature = reconcile.SignatureCheck{} }, RuleSignature, "not good"},
		"merge":             {func(c *Commit) { c.Parents = append(c.Parents, "x") }, RuleChain, "merge of 2"},
		"foreign message":   {func(c *Commit) { c.Message = "tidy up \x1b[2J\n" }, RuleEntry, "none that fairlead writes"},
		"damaged message":   {func(c *Commit) { c.Message = strings.Replace(c.Message, "Weight: 100", "Weight: 200", 1) }, RuleEntry, "200"},
		"before its time":   {func(c *Commit) { c.Committer.When = c.Committer.When.Add(-time.Hour) }, RuleTime, "before the entry"},
		"after its time":    {func(c *Commit) { c.Committer.When = c.Committer.When.Add(time.Second) }, RuleTime, "committer's time"},
		"author's time":     {func(c *Commit) { c.Author.When = c.Author.When.Add(time.Second) }, RuleTime, "author's time"},
		"two people":        {func(c *Commit) { c.Author.By = "Eve <eve@host>" }, RuleAuthor, "Eve"},
		"somebody else":     {func(c *Commit) { c.Author.By = "Eve <e@h>"; c.Committer.By = "Eve <e@h>" }, RuleAuthor, "may not"},
		"another file":      {func(c *Commit) { c.Changes = append(c.Changes, Change{Path: "models/other.json", Removed: true}) }, RuleTree, "models/other.json"},
		"a link":            {func(c *Commit) { c.Changes[0].Regular = false }, RuleTree, "plain file"},
		"record of another": {func(c *Commit) { c.Changes[0].Data = []byte(`{"format_version": 1, "model": "other"}`) }, RuleRecord, "other"},
		"not removed": {func(c *Commit) {
			e := promoted(6)
			e.Action = journal.ActionRemove
			c.Message = stored(t, e).Message
		}, RuleRecord, "the entry removes it"},
		"no record":          {func(c *Commit) { c.Changes[0].Data = []byte(`no`) }, RuleRecord, "parse"},
		"record of its past": {func(c *Commit) { c.Changes[0].Data = stored(t, promoted(4)).Changes[0].Data }, RuleRecord, "contradicts"},
	} {
		before := stored(t, promoted(5))
		commit := stored(t, promoted(6))
		c.spoil(&commit)
		problems := strict.Check(commit, &before)
		if len(problems) != 1 || problems[0].Rule != c.rule || !strings.Contains(problems[0].Reason, c.words) || problems[0].Commit != commit.ID {
			t.Errorf("%s: got %v; want one about %s with %q", name, problems, c.rule, c.words)
		}
		for _, p := range problems {
			if strings.ContainsRune(p.String()+p.Subject, '\x1b') {
				t.Errorf("%s: %q steers a terminal", name, p)
			}
		}
	}
}

func TestAcceptedCommitIsTheOneOfTheEntry(t *testing.T) {
	e := journal.Entry{
		At: day, Action: journal.ActionAccept, Repo: "root", To: strings.Repeat("a", 40), Actor: journal.Daemon,
		RepoRecord: &journal.RepoRecord{Accepted: strings.Repeat("b", 40), Since: day},
	}
	problems := strict.Check(stored(t, e), nil)
	if len(problems) != 1 || problems[0].Rule != RuleRecord || !strings.Contains(problems[0].Reason, "bbbbbbbbbbbb is followed") {
		t.Errorf("got %v", problems)
	}
}

func TestHeadsAreJudged(t *testing.T) {
	now := Head{Branch: "b", Commit: strings.Repeat("a", 40), Entries: 7}
	known := strings.Repeat("c", 40)
	for name, c := range map[string]struct {
		head   Head
		number int
		words  string // "": it is fine
	}{
		"an older one":            {Head{Commit: known, Entries: 5}, 5, ""},
		"a bare id":               {Head{Commit: known}, 5, ""},
		"one that was counted":    {Head{Commit: known, Entries: 6}, 5, "was entry 6 and is entry 5"},
		"a longer journal":        {Head{Commit: known, Entries: 12, At: day, Source: "head.json"}, 0, "at least 5 of them"},
		"a journal that parted":   {Head{Commit: known, Entries: 6}, 0, "none of its entries now"},
		"one of another branch":   {Head{Commit: known, Branch: "other"}, 5, "of the branch other"},
		"a bare id that is gone":  {Head{Commit: known}, 0, "none of its entries now"},
		"the newest of all":       {now, 7, ""},
		"the head says its place": {Head{Commit: known, Entries: 12, At: day, Source: "head.json"}, 0, "entry 12, 2026-03-03T14:00:00Z, from head.json"},
	} {
		r := Report{Branch: "b", Head: now}
		r.Conclude(Found{Number: map[string]int{c.head.Commit: c.number}, Whole: true}, []Head{c.head})
		if r.OK() != (c.words == "") || !r.OK() && !strings.Contains(r.Problems[0].Reason, c.words) {
			t.Errorf("%s: got %v; want %q", name, r.Problems, c.words)
		}
		if r.Heads[0].Entry != c.number {
			t.Errorf("%s: got %+v", name, r.Heads)
		}
	}
	empty := Report{Branch: "b"}
	empty.Conclude(Found{}, []Head{now})
	if empty.OK() || !strings.Contains(empty.Problems[0].Reason, "empty") {
		t.Errorf("got %v", empty.Problems)
	}
}

func TestProblemsAreSortedAndBounded(t *testing.T) {
	var r Report
	found := Found{Keys: map[string]int{"a": 1, "b": 5}}
	for n := range MaxProblems + 10 {
		found.Problems = append(found.Problems, Problem{Entry: MaxProblems + 10 - n, Rule: RuleTree})
	}
	found.Problems = append([]Problem{{Rule: RuleReplace}}, found.Problems...)
	r.Conclude(found, nil)
	if len(r.Problems) != MaxProblems || r.More != 11 || r.Problems[0].Entry != 1 || r.Signed[0].Key != "b" {
		t.Errorf("got %d problems and %d more, the first is %v; keys %v", len(r.Problems), r.More, r.Problems[0], r.Signed)
	}
}
