package gateway

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// requestIDHeader names one request in the logs of everybody who handles it.
const requestIDHeader = "X-Request-Id"

// maxRequestID is the longest request id that is taken from a client.
const maxRequestID = 128

// requestID is the client's own request id where it is fit for logs, else a new
// one.
func requestID(header http.Header) string {
	if ids := header[requestIDHeader]; len(ids) == 1 && validRequestID(ids[0]) {
		return ids[0]
	}
	// It tells requests apart and guards nothing, so no costlier randomness.
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

// problem is the error form of the Open Inference Protocol, with the request id
// for the conversation that follows.
type problem struct {
	Error     string `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

// writeProblem answers with an error of the gateway's own.
func writeProblem(w http.ResponseWriter, status int, id, message string) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	if id != "" {
		header.Set(requestIDHeader, id)
	}
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	writeJSON(w, status, problem{Error: message, RequestID: id})
}

// writeJSON answers with a value. A client that is gone is the only reason for
// which it fails, and nobody is left to be told.
func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
