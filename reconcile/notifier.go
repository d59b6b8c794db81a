package reconcile

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Notifier sends messages to one place.
type Notifier interface {
	// Notify sends one message. It ends in bounded time. What may pass by itself wraps
	// ErrUnavailable, or is a *RetryError; any other error is final: the message is
	// wrong, or who gets it does not want it. No error holds a credential. Sending the
	// same Key again does no harm where the receiver knows such a thing.
	Notify(ctx context.Context, m Message) error
}

// Message is one thing that people should know.
type Message struct {
	// Key is the same for the same thing: what is sent twice under it is sent once.
	Key      string           `json:"key"`
	Event    spec.NotifyEvent `json:"event"`
	Severity spec.Severity    `json:"severity"`
	// Subject is what it is about: model.digits, pipeline.train, the commit.
	Subject      string    `json:"subject"`
	Owners       []string  `json:"owners,omitempty"`
	Environment  string    `json:"environment"`
	Installation string    `json:"installation"` // owner of the daemon
	At           time.Time `json:"at"`
	Title        string    `json:"title"` // one line
	Text         string    `json:"text"`  // plain, several lines
	// Facts are short, for tables and labels: revision, version, commit, weight.
	Facts map[string]string `json:"facts,omitempty"`
	URL   string            `json:"url,omitempty"` // that tells more
	// Thread is the same for messages that belong together. Resolves: it tells that
	// what an earlier one of the thread complained about is over.
	Thread   string `json:"thread,omitempty"`
	Resolves bool   `json:"resolves,omitempty"`
	// JournalHead is the newest commit of the journal when it was written: what
	// `fairlead audit verify --head` takes.
	JournalHead string `json:"journal_head,omitempty"`
}
