package main

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

// metrics counts what the server did, for Prometheus.
type metrics struct {
	weights     *nn.Weights
	requests    [6]atomic.Uint64 // by class of the HTTP status: 2 for 2xx
	predictions [data.Classes]atomic.Uint64
}

func newMetrics(weights *nn.Weights) *metrics { return &metrics{weights: weights} }

func (m *metrics) predicted(digits []int64) {
	for _, digit := range digits {
		m.predictions[digit].Add(1)
	}
}

// count wraps a handler and counts its answers.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		m.requests[seen.status/100].Add(1)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status on its way through.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// ServeHTTP writes the Prometheus text format. It is written by hand: three
// families are not worth a dependency.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	family := func(name, kind, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	family("digits_requests_total", "counter", "Answered requests by class of the HTTP status.")
	for _, class := range []int{2, 4, 5} {
		fmt.Fprintf(w, "digits_requests_total{code=\"%dxx\"} %d\n", class, m.requests[class].Load())
	}
	family("digits_predictions_total", "counter", "Pictures read, by the digit that was seen.")
	for digit := range m.predictions {
		fmt.Fprintf(w, "digits_predictions_total{digit=\"%d\"} %d\n", digit, m.predictions[digit].Load())
	}
	family("digits_trained_accuracy", "gauge", "Accuracy that the trainer measured on held-out rows.")
	fmt.Fprintf(w, "digits_trained_accuracy{version=%q,kind=%q} %g\n", m.weights.Version, m.weights.Kind, m.weights.Accuracy)
}
