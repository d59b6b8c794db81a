package oip_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/oip/oiptest"
)

// impatient is a client that gives a server little time.
func impatient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Second}
}

func TestServerThatDoesNotAnswerIsAProblem(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cases := map[string]struct{ address, problem string }{
		"nobody listens":     {gone.URL, "no server answers at " + gone.URL},
		"no URL":             {"localhost:8080", "write it like http://127.0.0.1:8080"},
		"no host":            {"http://", "write it like http://127.0.0.1:8080"},
		"another protocol":   {"ftp://example.com", "write it like http://127.0.0.1:8080"},
		"a query":            {"http://127.0.0.1:1/?a=b", "has a query"},
		"a character broken": {"http://127.0.0.1:1/%zz", "write it like"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			report := oip.Check(t.Context(), nil, tc.address, "m")
			if report.Conforms || !strings.Contains(report.Problem, tc.problem) || len(report.Results) != 0 {
				t.Errorf("%+v", report)
			}
		})
	}
}

func TestAddressMayEndInSlashOrV2(t *testing.T) {
	good := oiptest.Sample("m")
	server := httptest.NewServer(http.StripPrefix("/digits", good))
	defer server.Close()
	for _, suffix := range []string{"/digits", "/digits/", "/digits/v2", "/digits/v2/"} {
		if report := oip.Check(t.Context(), nil, server.URL+suffix, "m"); !report.Conforms {
			t.Errorf("%s: %s %v", suffix, report.Problem, report.Failures())
		}
	}
}

// A server that does its worst costs bounded time and memory, and shows as
// failures.
func TestHostileServerIsSurvived(t *testing.T) {
	flood := func(w http.ResponseWriter, head string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, head)
		for chunk := bytes.Repeat([]byte(" 1,"), 1<<16); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	metadata := func(tensor string) string {
		return `{"name":"m","platform":"p","inputs":[` + tensor + `],"outputs":[` + tensor + `]}`
	}
	cases := map[string]struct {
		id     string // of the requirement that shows it
		reason string
		do     func(w http.ResponseWriter, r *http.Request)
	}{
		"an endless answer":   {"server-metadata", "", func(w http.ResponseWriter, _ *http.Request) { flood(w, `{"name":[`) }},
		"no end of silence":   {"server-metadata", "", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"a broken connection": {"server-metadata", "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"JSON nested without end": {"server-metadata", "no valid JSON", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"name":`+strings.Repeat("[", 1<<20))
		}},
		"a huge shape": {"infer", "4194304 elements", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metadata(`{"name":"a","datatype":"FP32","shape":[9223372036854775807,9223372036854775807]}`))
		}},
		"a shape below nothing": {"model-tensors", "[-9223372036854775808]", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metadata(`{"name":"a","datatype":"FP32","shape":[-9223372036854775808]}`))
		}},
		"many tensors": {"infer", "4194304 elements", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metadata(strings.TrimSuffix(strings.Repeat(`{"name":"a","datatype":"FP32","shape":[1000000]},`, 5), ",")))
		}},
		"a number beyond numbers": {"model-metadata", "an array of whole numbers", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, metadata(`{"name":"a","datatype":"FP32","shape":[1e400]}`))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			good := oiptest.Sample("m")
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2" && tc.id == "server-metadata" || r.URL.Path == "/v2/models/m" && tc.id != "server-metadata" {
					tc.do(w, r)
					return
				}
				good.ServeHTTP(w, r)
			}))
			defer server.Close()
			client := server.Client()
			if strings.Contains(name, "end") && tc.reason == "" { // it would last for ever
				client = impatient(t)
			}
			report := oip.Check(t.Context(), client, server.URL, "m")
			for _, r := range report.Results {
				if r.ID == tc.id && r.Outcome != oip.Passed && strings.Contains(r.Reason, tc.reason) {
					return
				}
			}
			t.Errorf("%s does not show it: %+v", tc.id, report.Failures())
		})
	}
}

func TestServersWordsCannotSteerTheTerminal(t *testing.T) {
	report := check(t, tampered{oiptest.Sample("m"), func(c *call) {
		c.status, c.body = 500, `{"error":"\u001b[2J\u202e"}`+"\x1b]0;x\x07\n\xff"
		if strings.HasSuffix(c.path, "/infer") {
			c.body = `{"error":"\u001b[2J\u202e gone"}`
		}
	}}, "m")
	if len(report.Failures()) == 0 {
		t.Fatal("nothing failed")
	}
	for _, r := range report.Results {
		for _, text := range []string{r.Reason, r.Sent, r.Answered} {
			if i := strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
				t.Errorf("%s shows %q", r.ID, text)
			}
		}
	}
}

// constant answers every request alike, without any network.
type constant struct {
	status int
	kind   string
	body   []byte
}

func (c constant) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Header: http.Header{"Content-Type": {c.kind}, "Inference-Header-Content-Length": {fmt.Sprint(len(c.body) / 2)}},
		Body: io.NopCloser(bytes.NewReader(c.body)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// Whatever a server answers, the check ends with a result for each requirement.
func FuzzCheck(f *testing.F) {
	f.Add(200, []byte(`{"live":true,"ready":true,"name":"m","version":"1","extensions":["binary_tensor_data"]}`))
	f.Add(200, []byte(`{"name":"m","platform":"p","versions":["1"],"model_name":"m","inputs":[{"name":"a","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"a","datatype":"INT8","shape":[-1,2],"data":[[1,2]]}],"extensions":["binary_tensor_data"],"version":"1"}`))
	f.Add(400, []byte(`{"error":"no"}`))
	f.Add(200, []byte(`{"models":["m","n"]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if len(body) > 1<<16 {
			t.Skip("large")
		}
		client := &http.Client{Transport: constant{100 + (status&0x1ff)%500, "application/json", body}}
		report := oip.Check(t.Context(), client, "http://server", "m")
		if got := report.Summary; got.Passed+got.Failed+got.Skipped != len(report.Results) || len(report.Results) == 0 {
			t.Errorf("%+v", report)
		}
	})
}
