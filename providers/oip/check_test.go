package oip_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/oip/oiptest"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// check runs the check on a handler.
func check(t *testing.T, handler http.Handler, model string) oip.Report {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	return oip.Check(t.Context(), nil, server.URL, model)
}

func ids(report oip.Report, outcome oip.Outcome) []string {
	var list []string
	for _, r := range report.Results {
		if r.Outcome == outcome {
			list = append(list, r.ID)
		}
	}
	return list
}

func TestServerThatConformsPassesWhole(t *testing.T) {
	report := check(t, oiptest.Sample("fraud"), "fraud")
	if !report.Conforms || report.Summary.Failed+report.Summary.Skipped > 0 || report.Problem != "" {
		t.Errorf("problem %q, summary %+v", report.Problem, report.Summary)
	}
	for _, r := range report.Results {
		if r.Outcome != oip.Passed {
			t.Errorf("%s: %s: %s\nsent %s\ngot  %s", r.ID, r.Outcome, r.Reason, r.Sent, r.Answered)
		}
	}
}

func TestModelOfEveryDatatypePasses(t *testing.T) {
	for _, datatype := range []string{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64", "BYTES"} {
		t.Run(datatype, func(t *testing.T) {
			server := oiptest.Sample("m")
			server.Signature = spec.Signature{
				Inputs:  []spec.Tensor{{Name: "in", Datatype: datatype, Shape: []int64{2, -1, 3}}},
				Outputs: []spec.Tensor{{Name: "out", Datatype: datatype, Shape: []int64{3, -1}}},
			}
			report := check(t, server, "m")
			for _, r := range report.Failures() {
				t.Errorf("%s: %s\nsent %s\ngot  %s", r.ID, r.Reason, r.Sent, r.Answered)
			}
		})
	}
}

func TestWhatDoesNotApplyIsSkipped(t *testing.T) {
	cases := map[string]struct {
		change func(*oiptest.Server)
		want   []string
	}{
		"no versions":   {func(s *oiptest.Server) { s.Versions = nil }, []string{"version-metadata", "version-ready", "version-infer", "version-unknown"}},
		"no extensions": {func(s *oiptest.Server) { s.Extensions = nil }, []string{"binary-input", "binary-output"}},
		"one dimension": {func(s *oiptest.Server) { s.Signature.Inputs = s.Signature.Inputs[2:] }, []string{"infer-nested"}},
		"fixed shapes":  {func(s *oiptest.Server) { s.Signature.Inputs = s.Signature.Inputs[1:2] }, []string{"infer-nested", "infer-batch"}},
		"text only":     {func(s *oiptest.Server) { s.Signature.Inputs = s.Signature.Inputs[2:3] }, []string{"infer-nested", "error-datatype"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := oiptest.Sample("m")
			tc.change(server)
			report := check(t, server, "m")
			if got := ids(report, oip.Skipped); !slices.Equal(got, tc.want) || !report.Conforms {
				t.Errorf("skipped %v, want %v; failed %v", got, tc.want, ids(report, oip.Failed))
			}
		})
	}
}

func TestModelIsFoundWhereTheServerListsIt(t *testing.T) {
	index := func(body string) http.Handler {
		good := oiptest.Sample("fraud")
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v2/models":
				http.NotFound(w, r)
			case "/v2/repository/index":
				_, _ = io.WriteString(w, body)
			default:
				good.ServeHTTP(w, r)
			}
		})
	}
	cases := map[string]struct {
		handler        http.Handler
		model, problem string
	}{
		"by its list of models":       {oiptest.Sample("fraud"), "fraud", ""},
		"by its repository":           {index(`[{"name":"fraud","version":"1"},{"name":"fraud","version":"2"}]`), "fraud", ""},
		"of two, none is taken":       {index(`[{"name":"fraud"},{"name":"churn"}]`), "", "the server has fraud, churn"},
		"without a list, none is":     {index(`no`), "", "the server does not list its models"},
		"an empty list is no list":    {index(`[]`), "", "the server does not list its models"},
		"a list of other form is not": {index(`{"name":"fraud"}`), "", "the server does not list its models"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			report := check(t, tc.handler, "")
			if report.Model != tc.model || !strings.Contains(report.Problem, tc.problem) || (tc.problem == "") != report.Conforms {
				t.Errorf("model %q, conforms %v, problem %q, failed %v", report.Model, report.Conforms, report.Problem, ids(report, oip.Failed))
			}
		})
	}
}

// tampered passes requests on to a good server and lets a hand change the
// answers.
type tampered struct {
	good http.Handler
	hand func(r *call)
}

// call is a request, and its good answer, which may be changed.
type call struct {
	method, path string
	request      string
	header       http.Header // of the request
	status       int
	answer       http.Header
	body         string
}

func (h tampered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(sent))
	recorder := httptest.NewRecorder()
	h.good.ServeHTTP(recorder, r)
	c := &call{
		method: r.Method, path: r.URL.Path, request: string(sent), header: r.Header,
		status: recorder.Code, answer: recorder.Header(), body: recorder.Body.String(),
	}
	h.hand(c)
	for name, values := range c.answer {
		w.Header()[name] = values
	}
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, c.body)
}

func (c *call) replace(was, is string) {
	if !strings.Contains(c.body, was) {
		panic("the answer to " + c.path + " has no " + was + ": " + c.body)
	}
	c.body = strings.ReplaceAll(c.body, was, is)
}

func (c *call) refuse() { c.status, c.body = 400, `{"error":"no"}` }

// take answers as if all were well.
func (c *call) take() { c.status, c.body = 200, `{"model_name":"m","outputs":[]}` }

const inferPath = "/v2/models/m/infer"

// plain tells whether it is the plainest of all inference requests.
func (c *call) plain() bool {
	return c.path == inferPath && c.status == 200 && c.header.Get("Content-Type") == "application/json" &&
		!strings.Contains(c.request, "fairlead") && !strings.Contains(c.request, `"outputs"`) &&
		!strings.Contains(c.request, `"shape":[2`) && !strings.Contains(c.request, "binary")
}

func (c *call) infers(part string) bool {
	return c.path == inferPath && strings.Contains(c.request, part)
}

// Each requirement has a server that breaks it and nothing else.
func TestBrokenRequirementIsFoundAndNoOther(t *testing.T) {
	at := func(path string, change func(*call)) func(*call) {
		return func(c *call) {
			if c.path == path {
				change(c)
			}
		}
	}
	plain := func(was, is string) func(*call) {
		return func(c *call) {
			if c.plain() {
				c.replace(was, is)
			}
		}
	}
	sent := func(part string, change func(*call)) func(*call) {
		return func(c *call) {
			if c.infers(part) {
				change(c)
			}
		}
	}
	cases := map[string]struct {
		id   string
		hand func(*call)
	}{
		"not live":                          {"server-live", at("/v2/health/live", func(c *call) { c.status = 503 })},
		"live says it is not":               {"server-live", at("/v2/health/live", func(c *call) { c.body = `{"live":false}` })},
		"live in words":                     {"server-live", at("/v2/health/live", func(c *call) { c.body = "OK" })},
		"live is a string":                  {"server-live", at("/v2/health/live", func(c *call) { c.body = `{"live":"true"}` })},
		"not ready":                         {"server-ready", at("/v2/health/ready", func(c *call) { c.status = 400 })},
		"ready says it is not":              {"server-ready", at("/v2/health/ready", func(c *call) { c.body = `{"ready":false}` })},
		"server metadata are not there":     {"server-metadata", at("/v2", func(c *call) { c.status, c.answer = 404, http.Header{} })},
		"a redirect":                        {"server-metadata", at("/v2", func(c *call) { c.status = 307; c.answer.Set("Location", "/v2/") })},
		"model metadata without a platform": {"model-metadata", at("/v2/models/m", func(c *call) { c.replace(`"platform"`, `"Platform"`) })},
		"versions are numbers":              {"model-metadata", at("/v2/models/m", func(c *call) { c.replace(`["1"]`, `[1]`) })},
		"metadata of another model":         {"model-name", at("/v2/models/m", func(c *call) { c.replace(`"name":"m"`, `"name":"n"`) })},
		"a tensor twice": {"model-tensors", at("/v2/models/m", func(c *call) {
			c.replace(`"outputs":[`, `"outputs":[{"name":"box","datatype":"INT32","shape":[-1,4]},`)
		})},
		"a model that is not ready":          {"model-ready", at("/v2/models/m/ready", func(c *call) { c.status = 503 })},
		"ready about another model":          {"model-ready", at("/v2/models/m/ready", func(c *call) { c.replace(`"name":"m"`, `"name":"n"`) })},
		"another model's name":               {"infer-model-name", plain(`"model_name":"m"`, `"model_name":"n"`)},
		"a version that is not listed":       {"infer-model-name", plain(`"model_version":"1"`, `"model_version":"2"`)},
		"an output too many":                 {"infer-outputs", plain(`"outputs":[`, `"outputs":[{"name":"z","datatype":"BOOL","shape":[1],"data":[true]},`)},
		"another datatype":                   {"infer-datatypes", plain(`"FP64"`, `"FP32"`)},
		"another shape":                      {"infer-shapes", plain(`"data":[0],"datatype":"FP64","name":"score","shape":[1]`, `"data":[0],"datatype":"FP64","name":"score","shape":[1,1]`)},
		"fewer data than the shape says":     {"infer-data", plain(`[0,0,0,0]`, `[0,0,0]`)},
		"data of another datatype":           {"infer-data", plain(`[0,0,0,0]`, `[0,0.5,0,0]`)},
		"data with a hole":                   {"infer-data", plain(`[0,0,0,0]`, `[0,null,0,0]`)},
		"the id is lost":                     {"infer-id", sent(`"id":"fairlead-7"`, func(c *call) { c.replace(`"id":"fairlead-7",`, ``) })},
		"the id is another":                  {"infer-id", sent(`"id":"fairlead-7"`, func(c *call) { c.replace(`"fairlead-7"`, `"8"`) })},
		"nested data are refused":            {"infer-nested", sent(`[[`, (*call).refuse)},
		"a batch is refused":                 {"infer-batch", sent(`"shape":[2,3]`, (*call).refuse)},
		"of a batch only one row comes back": {"infer-batch", sent(`"shape":[2,3]`, func(c *call) { c.replace(`"data":[0,0],`, `"data":[0],`) })},
		"a selection is ignored": {"infer-selection", sent(`"outputs":[{"name":"class"}]`, func(c *call) {
			c.replace(`"outputs":[`, `"outputs":[{"name":"score","datatype":"FP64","shape":[1],"data":[0]},`)
		})},
		"parameters are refused":            {"infer-parameters", sent(`fairlead_flag`, (*call).refuse)},
		"a version's metadata are others":   {"version-metadata", at("/v2/models/m/versions/1", func(c *call) { c.replace(`"name":"m"`, `"name":"n"`) })},
		"a version that is not ready":       {"version-ready", at("/v2/models/m/versions/1/ready", func(c *call) { c.status = 500 })},
		"a version that does not infer":     {"version-infer", at("/v2/models/m/versions/1/infer", (*call).refuse)},
		"a version that is another":         {"version-infer", at("/v2/models/m/versions/1/infer", func(c *call) { c.replace(`"model_version":"1"`, `"model_version":"2"`) })},
		"any version is known":              {"version-unknown", at("/v2/models/m/versions/fairlead-no-such-thing", (*call).take)},
		"any model is known":                {"error-unknown-model", at("/v2/models/fairlead-no-such-thing", (*call).take)},
		"any model infers":                  {"error-unknown-model-infer", at("/v2/models/fairlead-no-such-thing/infer", (*call).take)},
		"broken JSON is the server's fault": {"error-malformed-json", sent(`{"inputs": [`, func(c *call) { c.status = 500 })},
		"missing inputs are taken":          {"error-missing-inputs", sent(`{"id": "1"}`, (*call).take)},
		"missing inputs, in another form":   {"error-missing-inputs", sent(`{"id": "1"}`, func(c *call) { c.status, c.body = 422, `{"detail":[{"msg":"field required"}]}` })},
		"missing inputs, without a reason":  {"error-missing-inputs", sent(`{"id": "1"}`, func(c *call) { c.body = `{"error":" "}` })},
		"an unknown input is taken":         {"error-unknown-input", sent(`"name":"fairlead-no-such-thing","shape"`, (*call).take)},
		"an unknown output is taken":        {"error-unknown-output", sent(`"outputs":[{"name":"fairlead-no-such-thing"}]`, (*call).take)},
		"a wrong shape is taken":            {"error-shape", sent(`"shape":[1,1,3]`, (*call).take)},
		"data too long are taken":           {"error-data-length", sent(`[0.5,0.5,0.5,0.5]`, (*call).take)},
		"text for numbers is taken":         {"error-datatype", sent(`"no number"`, (*call).take)},
		"any datatype is taken":             {"error-unknown-datatype", sent(`"FP99"`, (*call).take)},
		"binary inputs are refused": {"binary-input", func(c *call) {
			if c.header.Get("Content-Type") == "application/octet-stream" {
				c.refuse()
			}
		}},
		"binary outputs come as JSON":    {"binary-output", sent(`binary_data_output`, func(c *call) { c.answer.Del("Inference-Header-Content-Length") })},
		"binary outputs are too short":   {"binary-output", sent(`binary_data_output`, func(c *call) { c.body = c.body[:len(c.body)-1] })},
		"binary outputs of wrong sizes":  {"binary-output", sent(`binary_data_output`, func(c *call) { c.replace(`"binary_data_size":8`, `"binary_data_size":9`) })},
		"JSON is called text":            {"content-type", at("/v2", func(c *call) { c.answer.Set("Content-Type", "text/plain") })},
		"errors in JSON are called text": {"error-content-type", sent(`{"inputs": [`, func(c *call) { c.answer.Set("Content-Type", "text/plain") })},
	}
	broken := map[string]bool{}
	for name, tc := range cases {
		broken[tc.id] = true
		t.Run(name, func(t *testing.T) {
			report := check(t, tampered{oiptest.Sample("m"), tc.hand}, "m")
			failed := ids(report, oip.Failed)
			if !slices.Equal(failed, []string{tc.id}) || report.Conforms {
				t.Errorf("failed %v, want %s alone", failed, tc.id)
			}
			for _, r := range report.Failures() {
				if r.Reason == "" || r.Sent == "" || r.Answered == "" {
					t.Errorf("%s does not tell why: %+v", r.ID, r)
				}
			}
		})
	}
	for _, r := range check(t, oiptest.Sample("m"), "m").Results {
		if !broken[r.ID] && !coveredElsewhere[r.ID] {
			t.Errorf("no server breaks %s", r.ID)
		}
	}
}

// coveredElsewhere are the requirements whose breach hides others, or needs more
// than one changed answer.
var coveredElsewhere = map[string]bool{"model-datatypes": true, "infer": true, "infer-response": true, "infer-flat": true, "still-serves": true}

func TestBreachThatHidesOthersIsFound(t *testing.T) {
	calls := 0
	cases := map[string]struct {
		id   string
		hand func(*call)
	}{
		"an unknown datatype": {"model-datatypes", func(c *call) {
			if c.path == "/v2/models/m" {
				c.replace(`"BOOL"`, `"BF16"`)
			}
		}},
		"no inference works": {"infer", func(c *call) {
			if c.path == inferPath {
				c.refuse()
			}
		}},
		"a response without outputs": {"infer-response", func(c *call) {
			if c.plain() {
				c.replace(`"outputs"`, `"Outputs"`)
			}
		}},
		"a response that is no JSON": {"infer-response", func(c *call) {
			if c.plain() {
				c.replace(`"data":[0]`, `"data":[NaN]`)
			}
		}},
		"flat data are refused": {"infer-flat", func(c *call) {
			if c.path == inferPath && c.status == 200 && !strings.Contains(c.request, "[[") && c.header.Get("Content-Type") == "application/json" {
				c.refuse()
			}
		}},
		"a bad request brings it down": {"still-serves", func(c *call) {
			if c.infers(`"FP99"`) {
				calls++
			}
			if calls > 0 && c.plain() {
				c.status, c.body = 500, `{"error":"out of order"}`
			}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			report := check(t, tampered{oiptest.Sample("m"), tc.hand}, "m")
			if failed := ids(report, oip.Failed); !slices.Equal(failed, []string{tc.id}) {
				t.Errorf("failed %v, want %s alone; the others are skipped", failed, tc.id)
			}
		})
	}
}

func TestFieldsAreReadByTheirExactNames(t *testing.T) {
	report := check(t, tampered{oiptest.Sample("m"), func(c *call) {
		if c.path == "/v2" {
			c.body = `{"Name":"x","version":"1","extensions":[]}`
		}
	}}, "m")
	if failed := report.Failures(); len(failed) != 1 || failed[0].ID != "server-metadata" || !strings.Contains(failed[0].Reason, `"name" is missing`) {
		t.Errorf("%+v", failed)
	}
}

func TestReportReadsBackFromJSON(t *testing.T) {
	report := check(t, oiptest.Sample("m"), "m")
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var back oip.Report
	if err := json.Unmarshal(data, &back); err != nil || back.FormatVersion != oip.FormatVersion || len(back.Results) != len(report.Results) {
		t.Errorf("%v: %s", err, data)
	}
}
