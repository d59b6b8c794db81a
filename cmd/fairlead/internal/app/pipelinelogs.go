package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// logStall is how long a reader of a log may take for one piece of it.
const logStall = time.Minute

// runLog streams the log of an attempt as it was written; with follow=true until
// the attempt ends.
func runLog(w http.ResponseWriter, r *http.Request, p Pipelines) {
	attempt, follow, err := logQuery(r)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	log, err := p.Log(ctx, r.PathValue("id"), r.PathValue("node"), attempt, follow)
	if err != nil {
		runProblem(w, r, err)
		return
	}
	defer func() { _ = log.Close() }()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff") // a step writes what it likes
	w.WriteHeader(http.StatusOK)
	stream(w, log)
}

// logQuery reads attempt and follow; attempt 0 is the newest.
func logQuery(r *http.Request) (attempt int, follow bool, err error) {
	query := r.URL.Query()
	if text := query.Get("attempt"); text != "" {
		if attempt, err = strconv.Atoi(text); err != nil || attempt < 0 {
			return 0, false, fmt.Errorf("attempt = %q is no number of an attempt; they count from 1", text)
		}
	}
	if text := query.Get("follow"); text != "" {
		if follow, err = strconv.ParseBool(text); err != nil {
			return 0, false, fmt.Errorf("follow = %q is neither true nor false", text)
		}
	}
	return attempt, follow, nil
}

// stream sends what is read as soon as it is there. An error means that the caller
// is gone, or that the log ends here: its head has been sent, so there is nothing
// that could still be said about it.
func stream(w http.ResponseWriter, from io.Reader) {
	control := http.NewResponseController(w)
	// The head goes first: who follows a silent step learns that there is a log.
	_ = control.SetWriteDeadline(time.Now().Add(logStall))
	if control.Flush() != nil {
		return
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			// The server's own limit is for a whole answer, and a step may take hours.
			_ = control.SetWriteDeadline(time.Now().Add(logStall))
			if _, err := w.Write(buffer[:n]); err != nil {
				return
			}
			if control.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
