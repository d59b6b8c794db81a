package memory_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/journal"
)

func TestJournalKeepsThePort(t *testing.T) {
	providertest.JournalSuite(t, func(*testing.T) func() journal.Journal {
		j := memory.NewJournal()
		return func() journal.Journal { return j }
	})
}

func TestJournalFailsWhenTold(t *testing.T) {
	j := memory.NewJournal()
	entry := journal.Entry{At: time.Unix(1e9, 0), Action: journal.ActionRemove, Model: "digits"}
	full := errors.New("the disk is full")
	j.Fail(full)
	if err := j.Append(t.Context(), entry); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	j.Fail(nil)
	j.Away(errors.New("the network is down"))
	if err := j.Append(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if d := j.Delivery(); d.Pending != 1 || d.Error == "" {
		t.Errorf("got %+v", d)
	}
	j.Away(nil)
	if d := j.Delivery(); d.Pending != 0 || d.Error != "" {
		t.Errorf("got %+v", d)
	}
}
