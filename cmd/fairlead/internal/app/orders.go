package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// RolloutOrder is the body of POST /api/v1/rollouts/MODEL/KIND: who wants
// something with a rollout, why, and what they saw when they decided it. An order
// about what is no more is refused, so that nobody promotes what came in between.
type RolloutOrder struct {
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
	Revision string `json:"revision"`       // the candidate; for undo the stable one, for retry the rejected one
	Step     int    `json:"step,omitempty"` // that the status showed, from 1; for promote
	Full     bool   `json:"full,omitempty"` // promote past all steps and checks that are left
}

// orderKinds are the orders that there are.
var orderKinds = []rollout.ActKind{rollout.ActPromote, rollout.ActPause, rollout.ActResume, rollout.ActAbort, rollout.ActRetry, rollout.ActUndo}

const (
	maxOrder     = 64 << 10
	orderTimeout = 45 * time.Second // the journal may take 30 seconds to refuse
)

// Problem is an answer that says what is wrong, as RFC 9457 has it.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Error repeats Detail, where every other answer of this API has it.
	Error string `json:"error"`
}

// order hands an order to the loop, and answers with the journal's entry.
func (a *api) order(w http.ResponseWriter, r *http.Request) {
	act, err := readOrder(w, r)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	if !slices.Contains(orderKinds, act.Kind) {
		writeProblem(w, http.StatusNotFound, fmt.Errorf("there is no order %q; there are %s", act.Kind, joined(orderKinds)))
		return
	}
	c := a.daemon.current.Load()
	if c == nil {
		writeProblem(w, http.StatusServiceUnavailable, errors.New(a.notActing()))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	entry, err := c.Order(ctx, act)
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, entry)
	case errors.Is(err, rollout.ErrMovedOn):
		writeProblem(w, http.StatusConflict, err)
	case errors.Is(err, rollout.ErrImpossible):
		writeProblem(w, http.StatusUnprocessableEntity, err)
	case errors.Is(err, controller.ErrNotJournaled):
		writeProblem(w, http.StatusServiceUnavailable, err)
	case ctx.Err() != nil:
		writeProblem(w, http.StatusGatewayTimeout, err)
	default:
		writeProblem(w, http.StatusInternalServerError, err)
	}
}

func readOrder(w http.ResponseWriter, r *http.Request) (rollout.Act, error) {
	var body RolloutOrder
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return rollout.Act{}, fmt.Errorf("the body is no order; send {\"actor\", \"reason\", \"revision\", \"step\", \"full\"}: %w", err)
	}
	for name, value := range map[string]string{"actor": body.Actor, "reason": body.Reason, "revision": body.Revision} {
		if strings.TrimSpace(value) == "" {
			return rollout.Act{}, fmt.Errorf("the order lacks %q: who wants it, why, and about which revision stand in the journal for ever", name)
		}
	}
	return rollout.Act{
		Kind: rollout.ActKind(r.PathValue("kind")), Model: r.PathValue("model"), Actor: body.Actor, Reason: body.Reason,
		Revision: body.Revision, Step: body.Step - 1, Full: body.Full,
	}, nil
}

func joined(kinds []rollout.ActKind) string {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func writeProblem(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(Problem{Title: http.StatusText(code), Status: code, Detail: err.Error(), Error: err.Error()})
}
