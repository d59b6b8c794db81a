package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// The paths of the admin listener.
const (
	tablePath  = "/v1/table"
	reportPath = "/v1/report"
)

// maxWait is the longest that a report is held back for a change.
const maxWait = time.Minute

func (s *Server) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+tablePath, s.authenticated(s.putTable))
	mux.HandleFunc("GET "+tablePath, s.authenticated(s.getTable))
	mux.HandleFunc("GET "+reportPath, s.authenticated(s.getReport))
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, liveness{Live: true})
	})
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.alive },
		ErrorLog:          s.errorLog,
	}
}

// authenticated lets a request pass that shows the token. Hashes are compared,
// so the time taken tells nothing, not even the token's length.
func (s *Server) authenticated(next http.HandlerFunc) http.HandlerFunc {
	want := sha256.Sum256([]byte(s.config.Token.Reveal()))
	return func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(token))
		if !bearer || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, http.StatusUnauthorized, "", "this listener needs the admin token of the gateway")
			return
		}
		next(w, r)
	}
}

// pushed is the answer to a table that is in force.
type pushed struct {
	Version uint64 `json:"version"`
	Warning string `json:"warning,omitempty"`
}

// putTable takes a table. A table that cannot be kept on disk is put in force
// all the same: a full disk must not hold up a rollback. The answer, the reports
// and a metric say so until one can be kept.
func (s *Server) putTable(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTable))
	if err != nil {
		writeProblem(w, http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the routing table could not be read (limit %d bytes): %v", maxTable, err))
		return
	}
	table, err := decodeTable(data)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "", err.Error())
		return
	}
	s.swapping.Lock()
	defer s.swapping.Unlock()
	current := s.routing.Load().table
	repeated := table.Equal(current)
	if !repeated && table.Version != current.Version+1 {
		writeProblem(w, http.StatusConflict, "", fmt.Sprintf("routing table %d cannot follow on %d, which is in force: read it and push the next version", table.Version, current.Version))
		return
	}
	var next *routing
	if !repeated {
		if next, err = s.prepare(table); err != nil {
			writeProblem(w, http.StatusBadRequest, "", err.Error())
			return
		}
	}
	warning := s.keep(table, repeated)
	if !repeated {
		s.swap(next)
		s.logger.Info("routing table in force", "version", table.Version, "models", len(table.Models))
	}
	writeJSON(w, http.StatusOK, pushed{Version: table.Version, Warning: warning})
}

// keep stores the table and notes whether that worked. A repeated table is
// stored again only if it could not be the first time.
func (s *Server) keep(table reconcile.Table, repeated bool) (warning string) {
	if repeated && s.warning.Load() == nil {
		return ""
	}
	if err := s.store.save(table); err != nil {
		warning = err.Error()
		s.logger.Error("routing table not kept", "error", err)
		s.metrics.unstored.Set(1)
		s.warning.Store(&warning)
		return warning
	}
	s.metrics.unstored.Set(0)
	s.warning.Store(nil)
	return ""
}

func (s *Server) getTable(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.routing.Load().table)
}

// getReport answers at once without ?since, else when the sequence is another
// one or ?wait is over.
func (s *Server) getReport(w http.ResponseWriter, r *http.Request) {
	since, wait, err := reportQuery(r)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "", err.Error())
		return
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for over := since == 0; ; {
		sequence, changed := s.board.watch()
		if over || sequence != since {
			writeJSON(w, http.StatusOK, s.report(sequence))
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			over = true
		case <-r.Context().Done():
			writeProblem(w, http.StatusServiceUnavailable, "", "the gateway stops")
			return
		}
	}
}

func reportQuery(r *http.Request) (since uint64, wait time.Duration, err error) {
	query := r.URL.Query()
	if v := query.Get("since"); v != "" {
		if since, err = strconv.ParseUint(v, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("since=%q is no sequence number", v)
		}
	}
	if v := query.Get("wait"); v != "" {
		if wait, err = time.ParseDuration(v); err != nil || wait < 0 {
			return 0, 0, errors.New("wait is no duration such as 20s")
		}
	}
	return since, min(wait, maxWait), nil
}

// report is the state of every replica of the table in force, and of those that
// have left it while requests are still open: they are not to be removed yet.
func (s *Server) report(sequence uint64) reconcile.Report {
	s.inForce.Lock()
	leaving, now, routing := slices.Clone(s.leaving), time.Now(), s.routing.Load()
	s.inForce.Unlock()
	report := reconcile.Report{
		Sequence: sequence, TableVersion: routing.table.Version,
		Replicas: make(map[string]reconcile.ReplicaHealth, len(routing.replicas)),
	}
	for id, r := range routing.replicas {
		report.Replicas[id] = r.report(now)
	}
	for _, r := range leaving {
		if _, back := report.Replicas[r.id]; !back && r.load.Load() > 0 {
			report.Replicas[r.id] = r.report(now)
		}
	}
	if warning := s.warning.Load(); warning != nil {
		report.Warning = *warning
	}
	return report
}
