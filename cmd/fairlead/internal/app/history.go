package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// HistoryFormat is the version of the JSON form of History and Live. Since 1.1 a command that
// reads a journal by itself adds the chain: whether it is what its daemon wrote.
const HistoryFormat = "1.1"

// History is the answer of /api/v1/history.
type History struct {
	FormatVersion string          `json:"format_version"`
	Entries       []journal.Entry `json:"entries"` // newest first
}

// Live is the answer of /api/v1/live: what was decided about every model, as of a
// time.
type Live struct {
	FormatVersion string                    `json:"format_version"`
	At            time.Time                 `json:"at"`
	Records       map[string]journal.Record `json:"records"` // by served name
}

const (
	defaultHistory = 100
	maxHistory     = 10_000
	historyTimeout = 30 * time.Second
)

// history answers what was decided: of one model, pipeline, repo or proposal, or all,
// newest first. Where actions are named, only these.
func (a *api) history(w http.ResponseWriter, r *http.Request) {
	query, err := historyQuery(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	a.ofJournal(w, r, func(ctx context.Context, j journal.Journal) (any, error) {
		entries, err := j.History(ctx, query)
		if entries == nil {
			entries = []journal.Entry{}
		}
		return History{FormatVersion: HistoryFormat, Entries: entries}, err
	})
}

func historyQuery(values url.Values) (journal.Query, error) {
	q := journal.Query{
		Model: values.Get("model"), Pipeline: values.Get("pipeline"), Repo: values.Get("repo"), Proposal: values.Get("proposal"), Limit: defaultHistory,
	}
	for _, action := range values["action"] {
		q.Actions = append(q.Actions, journal.Action(action))
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxHistory {
			return q, fmt.Errorf("limit = %q is not a whole number from 1 to %d", text, maxHistory)
		}
		q.Limit = n
	}
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		at, err := timeParameter(values, name)
		if err != nil {
			return q, err
		}
		*to = at
	}
	return q, nil
}

// timeParameter is zero where the parameter is absent.
func timeParameter(values url.Values, name string) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s = %q is not a time; write it as in RFC 3339: 2026-03-03T14:00:00Z", name, text)
	}
	return at, nil
}

// live answers what was served at a time, by default now.
func (a *api) live(w http.ResponseWriter, r *http.Request) {
	at, err := timeParameter(r.URL.Query(), "at")
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	a.ofJournal(w, r, func(ctx context.Context, j journal.Journal) (any, error) {
		records, err := j.At(ctx, at)
		return Live{FormatVersion: HistoryFormat, At: at, Records: records}, err
	})
}

// ofJournal answers with what f reads from the journal, if there is one to read.
func (a *api) ofJournal(w http.ResponseWriter, r *http.Request, f func(context.Context, journal.Journal) (any, error)) {
	c := a.daemon.current.Load()
	if c == nil {
		writeError(w, http.StatusServiceUnavailable, a.notActing())
		return
	}
	if broken := c.Status().Journal.Broken; broken != "" && len(c.Status().Models) == 0 {
		writeError(w, http.StatusServiceUnavailable, broken)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), historyTimeout)
	defer cancel()
	answer, err := f(ctx, a.daemon.site.Journal)
	if errors.Is(err, errNeverCame) {
		writeError(w, http.StatusNotFound, err.Error())
		return
	}
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("read the journal: %v", err))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}
