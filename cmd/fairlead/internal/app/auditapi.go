package app

import (
	"context"
	"errors"
	"net/http"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// handleAudit adds what auditors ask.
func (a *api) handleAudit(mux *http.ServeMux, remote bool) {
	mux.Handle("GET /api/v1/audit/head", a.guard(remote, a.auditHead))
	mux.Handle("GET /api/v1/audit/rows", a.guard(remote, a.auditRows))
	mux.Handle("GET /api/v1/audit/approval", a.guard(remote, a.approval))
}

// auditHead answers with the newest entry of the journal.
func (a *api) auditHead(w http.ResponseWriter, r *http.Request) {
	a.ofJournal(w, r, func(ctx context.Context, j journal.Journal) (any, error) {
		if b, ok := j.(*books); ok {
			j = b.Journal
		}
		return HeadOf(ctx, j)
	})
}

// auditRows answers with what was decided from one time to another.
func (a *api) auditRows(w http.ResponseWriter, r *http.Request) {
	from, err := timeParameter(r.URL.Query(), "from")
	to, terr := timeParameter(r.URL.Query(), "to")
	if err = errors.Join(err, terr); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	a.ofJournal(w, r, func(ctx context.Context, j journal.Journal) (any, error) { return ReadAuditRows(ctx, j, from, to) })
}

// approval answers who approved a version of a model.
func (a *api) approval(w http.ResponseWriter, r *http.Request) {
	model, version := r.URL.Query().Get("model"), r.URL.Query().Get("version")
	if model == "" || version == "" {
		writeError(w, http.StatusBadRequest, "model and version are needed: /api/v1/audit/approval?model=digits&version=1.1.0")
		return
	}
	a.ofJournal(w, r, func(ctx context.Context, j journal.Journal) (any, error) {
		return WhoApproved(ctx, j, a.config.Environment, model, version)
	})
}
