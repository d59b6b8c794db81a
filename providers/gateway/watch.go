package gateway

import (
	"net/http"
	"strings"
	"time"
)

// watched is what an exchange wants of the answer beside passing it on.
type watched struct {
	shadow   bool // a copy of the request goes to the candidate
	sample   bool // the values of its outputs are counted
	encoding string
	series   *series // of the revision that answers
}

// watch looks at the answer's header and decides whether its body is kept.
func (x *exchange) watch(answer *http.Response) {
	w, m := &x.watched, x.model
	w.series = x.revision.series
	if encodings := answer.Header["Content-Encoding"]; len(encodings) > 0 {
		w.encoding = encodings[0]
	}
	w.shadow = w.shadow && !x.fellBack && m.mirror != nil && x.revision != m.candidate && answer.StatusCode < http.StatusInternalServerError
	w.sample = len(m.outputs) > 0 && m.oip && x.sent.Method == http.MethodPost &&
		answer.StatusCode/100 == 2 && answer.ContentLength <= maxSampled && w.encoding == "" && isJSON(answer.Header) &&
		x.revision.series.sampling.admit(time.Now(), samplesPerSecond)
	switch {
	case w.shadow:
		x.answer.kept = &capture{budget: x.server.kept, limit: maxKept}
	case w.sample:
		x.answer.kept = &capture{budget: x.server.kept, limit: maxSampled}
	}
}

func isJSON(header http.Header) bool {
	contentType := header["Content-Type"]
	return len(contentType) > 0 && strings.Contains(contentType[0], "json")
}

// handOver gives what was kept to those who work with it later. The client has
// its answer; nothing here waits.
func (x *exchange) handOver() {
	if x.answer.kept == nil || !x.done || x.gone {
		x.kept.letGo()
		x.answer.kept.letGo()
		return
	}
	x.answer.kept.end()
	if body, whole := x.answer.kept.whole(); whole && x.watched.sample && len(body) <= maxSampled {
		x.server.samples.offer(sample{series: x.watched.series, outputs: x.model.outputs, body: body})
	}
	if !x.watched.shadow || !x.server.shadow(x) {
		x.kept.letGo()
		x.answer.kept.letGo()
	}
}
