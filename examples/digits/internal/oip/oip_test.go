package oip

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// adder sums the pairs of x and takes n away from each sum.
type adder struct{ err error }

func (adder) Metadata() ModelMetadata {
	return ModelMetadata{
		Name: "adder", Versions: []string{"2.0.0"}, Platform: "test_adder",
		Inputs:  []TensorMetadata{{"x", FP32, []int64{-1, 2}}, {"n", INT32, []int64{1}}},
		Outputs: []TensorMetadata{{"sum", FP32, []int64{-1}}, {"rows", INT64, []int64{1}}},
	}
}

func (a adder) Infer(_ context.Context, in map[string]Input) ([]Output, error) {
	if a.err != nil {
		return nil, a.err
	}
	var sums []float32
	for pair := range slices.Chunk(in["x"].Data, 2) {
		sums = append(sums, float32(pair[0]+pair[1]-in["n"].Data[0]))
	}
	rows := in["x"].Shape[0]
	return []Output{{"sum", []int64{rows}, FP32, sums}, {"rows", []int64{1}, INT64, []int64{rows}}}, nil
}

func server(model Model, ready bool) http.Handler {
	s := &Server{
		Metadata: ServerMetadata{Name: "test", Version: "1", Extensions: []string{}},
		Model:    model, Ready: func() bool { return ready }, MaxBody: 1000,
	}
	return s.Handler()
}

func call(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

func TestPathsAnswerAsTheProtocolSays(t *testing.T) {
	const model = `{"name":"adder","versions":["2.0.0"],"platform":"test_adder",` +
		`"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]},{"name":"n","datatype":"INT32","shape":[1]}],` +
		`"outputs":[{"name":"sum","datatype":"FP32","shape":[-1]},{"name":"rows","datatype":"INT64","shape":[1]}]}`
	cases := []struct {
		name, method, path string
		unready            bool
		status             int
		body               string
	}{
		{"live", "GET", "/v2/health/live", false, 200, `{"live":true}`},
		{"live while not ready", "GET", "/v2/health/live", true, 200, `{"live":true}`},
		{"ready", "GET", "/v2/health/ready", false, 200, `{"ready":true}`},
		{"not ready", "GET", "/v2/health/ready", true, 503, `{"ready":false}`},
		{"server metadata", "GET", "/v2", false, 200, `{"name":"test","version":"1","extensions":[]}`},
		{"server metadata with a slash", "GET", "/v2/", false, 200, `{"name":"test","version":"1","extensions":[]}`},
		{"list of models", "GET", "/v2/models", false, 200, `{"models":["adder"]}`},
		{"model metadata", "GET", "/v2/models/adder", false, 200, model},
		{"model metadata of a version", "GET", "/v2/models/adder/versions/2.0.0", false, 200, model},
		{"model ready", "GET", "/v2/models/adder/ready", false, 200, `{"name":"adder","ready":true}`},
		{"model of a version ready", "GET", "/v2/models/adder/versions/2.0.0/ready", false, 200, `{"name":"adder","ready":true}`},
		{"model not ready", "GET", "/v2/models/adder/ready", true, 503, `{"name":"adder","ready":false}`},
		{"unknown model", "GET", "/v2/models/other", false, 404, `{"error":"there is no model \"other\" here; this server has \"adder\""}`},
		{"unknown model, ready", "GET", "/v2/models/other/ready", false, 404, `{"error":"there is no model \"other\" here; this server has \"adder\""}`},
		{"unknown model, infer", "POST", "/v2/models/other/infer", false, 404, `{"error":"there is no model \"other\" here; this server has \"adder\""}`},
		{"unknown version", "GET", "/v2/models/adder/versions/3/ready", false, 404, `{"error":"model \"adder\" has no version \"3\" here; this server has 2.0.0"}`},
		{"unknown path", "GET", "/v1/models", false, 404, `{"error":"there is nothing at /v1/models; the protocol's paths start with /v2"}`},
		{"infer by GET", "GET", "/v2/models/adder/infer", false, 405, `{"error":"/v2/models/adder/infer takes POST, not GET"}`},
		{"metadata by POST", "POST", "/v2/models/adder", false, 405, `{"error":"/v2/models/adder takes GET, not POST"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := call(t, server(adder{}, !c.unready), c.method, c.path, "")
			expect(t, w, c.status, c.body)
			if allow := w.Header().Get("Allow"); (c.status == 405) != (allow != "") {
				t.Errorf("Allow is %q with status %d", allow, c.status)
			}
		})
	}
}

func TestInferAnswers(t *testing.T) {
	const n = `{"name":"n","shape":[1],"datatype":"INT32","data":[1]}`
	const all = `{"name":"sum","shape":[2],"datatype":"FP32","data":[2,6.5]},{"name":"rows","shape":[1],"datatype":"INT64","data":[2]}`
	answer := func(middle, outputs string) string {
		return `{"model_name":"adder","model_version":"2.0.0"` + middle + `,"outputs":[` + outputs + `]}`
	}
	x := func(datatype, data string) string {
		return `{"name":"x","shape":[2,2],"datatype":"` + datatype + `","data":` + data + `},` + n
	}
	cases := map[string]struct{ request, answer string }{
		"flat data":                {`{"inputs":[` + x("FP32", "[1,2,3,4.5]") + `]}`, answer("", all)},
		"nested data":              {`{"inputs":[` + x("FP32", " [ [1,2], [3,4.5] ]") + `]}`, answer("", all)},
		"FP64 for FP32":            {`{"inputs":[` + x("FP64", "[1,2,3,4.5]") + `]}`, answer("", all)},
		"integers for FP32":        {`{"inputs":[` + x("UINT8", "[1,2,3,4]") + `]}`, answer("", strings.Replace(all, "6.5", "6", 1))},
		"whole floats as integers": {`{"inputs":[` + x("INT64", "[1.0,2,3e0,4]") + `]}`, answer("", strings.Replace(all, "6.5", "6", 1))},
		"an id comes back":         {`{"id":"7","inputs":[` + x("FP32", "[1,2,3,4.5]") + `]}`, answer(`,"id":"7"`, all)},
		"an empty id comes back":   {`{"id":"","inputs":[` + x("FP32", "[1,2,3,4.5]") + `]}`, answer(`,"id":""`, all)},
		"parameters are accepted": {
			`{"parameters":{"a":"b","c":1,"d":true},"inputs":[` + strings.Replace(x("FP32", "[1,2,3,4.5]"), `"data"`, `"parameters":{"e":1.5},"data"`, 1) + `]}`,
			answer("", all),
		},
		"unknown fields are ignored": {`{"later":{},"inputs":[` + x("FP32", "[1,2,3,4.5]") + `]}`, answer("", all)},
		"one requested output": {
			`{"inputs":[` + x("FP32", "[1,2,3,4.5]") + `],"outputs":[{"name":"rows","parameters":{"binary_data":false}}]}`,
			answer("", `{"name":"rows","shape":[1],"datatype":"INT64","data":[2]}`),
		},
		"outputs in the order of the request": {
			`{"inputs":[` + x("FP32", "[1,2,3,4.5]") + `],"outputs":[{"name":"rows"},{"name":"sum"}]}`,
			answer("", `{"name":"rows","shape":[1],"datatype":"INT64","data":[2]},{"name":"sum","shape":[2],"datatype":"FP32","data":[2,6.5]}`),
		},
		"an empty list of outputs means all": {`{"inputs":[` + x("FP32", "[1,2,3,4.5]") + `],"outputs":[]}`, answer("", all)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v2/models/adder/infer", "/v2/models/adder/versions/2.0.0/infer"} {
				expect(t, call(t, server(adder{}, true), "POST", path, c.request), 200, c.answer)
			}
		})
	}
	t.Run("requests still count while not ready", func(t *testing.T) {
		w := call(t, server(adder{}, false), "POST", "/v2/models/adder/infer", `{"inputs":[`+x("FP32", "[1,2,3,4.5]")+`]}`)
		expect(t, w, 200, answer("", all))
	})
}

func TestInferRefuses(t *testing.T) {
	const n = `{"name":"n","shape":[1],"datatype":"INT32","data":[1]}`
	with := func(x string) string { return `{"inputs":[` + x + `,` + n + `]}` }
	x := func(shape, datatype, data string) string {
		return with(`{"name":"x","shape":` + shape + `,"datatype":"` + datatype + `","data":` + data + `}`)
	}
	good := x("[1,2]", "FP32", "[1,2]")
	cases := map[string]struct{ request, message string }{
		"no body":                  {``, "the body is not an inference request: unexpected end of JSON input at byte 0"},
		"broken JSON":              {`{"inputs":[}`, "the body is not an inference request: invalid character '}' looking for beginning of value at byte 12"},
		"an array":                 {`[]`, "the body is not an inference request: unexpected array"},
		"an id that is a number":   {`{"id":7}`, `the body is not an inference request: unexpected number at "id"`},
		"two documents":            {`{} {}`, "the body is not an inference request: invalid character '{' after top-level value at byte 4"},
		"no inputs":                {`{}`, `input "x" is missing; model "adder" needs "x", "n"`},
		"one input missing":        {`{"inputs":[` + n + `]}`, `input "x" is missing; model "adder" needs "x", "n"`},
		"an unknown input":         {with(`{"name":"y"}`), `model "adder" has no input "y"; it has "x", "n"`},
		"an input twice":           {with(n), `input "n" is there twice`},
		"an unknown output":        {strings.Replace(good, `]}]}`, `]}],"outputs":[{"name":"z"}]}`, 1), `model "adder" has no output "z"; it has "sum", "rows"`},
		"a parameter that is null": {strings.Replace(good, `{`, `{"parameters":{"a":null},`, 1), `request: parameter "a" must be a string, a number or a boolean`},
		"a parameter that is a list": {
			with(`{"name":"x","parameters":{"a":[]},"shape":[1,2],"datatype":"FP32","data":[1,2]}`),
			`input "x": parameter "a" must be a string, a number or a boolean`,
		},
		"no data":                 {with(`{"name":"x","shape":[1,2],"datatype":"FP32"}`), `input "x" has no data`},
		"no shape":                {with(`{"name":"x","datatype":"FP32","data":[1,2]}`), `input "x" has shape [-1, 2], got []; -1 stands for any size from 1`},
		"a shape of wrong rank":   {x("[2]", "FP32", "[1,2]"), `input "x" has shape [-1, 2], got [2]; -1 stands for any size from 1`},
		"a shape of wrong size":   {x("[1,3]", "FP32", "[1,2,3]"), `input "x" has shape [-1, 2], got [1, 3]; -1 stands for any size from 1`},
		"an empty batch":          {x("[0,2]", "FP32", "[]"), `input "x" has shape [-1, 2], got [0, 2]; -1 stands for any size from 1`},
		"a negative size":         {x("[-1,2]", "FP32", "[1,2]"), `input "x" has shape [-1, 2], got [-1, 2]; -1 stands for any size from 1`},
		"a shape that overflows":  {x("[9223372036854775807,2]", "FP32", "[1,2]"), `input "x": shape [9223372036854775807, 2] is too large`},
		"a shape with a fraction": {x("[1.5,2]", "FP32", "[1,2]"), `the body is not an inference request: unexpected number 1.5 at "inputs.shape"`},
		"too few numbers":         {x("[2,2]", "FP32", "[1,2,3]"), `input "x": data holds 3 numbers where the shape says 4`},
		"too few rows":            {x("[2,2]", "FP32", "[[1,2]]"), `input "x": data holds 1 rows where the shape says 2`},
		"a short row":             {x("[2,2]", "FP32", "[[1,2],[3]]"), `input "x": data holds 1 numbers where the shape says 2`},
		"a row that is a number":  {x("[2,2]", "FP32", "[[1,2],3]"), `input "x": data must be numbers, flat or nested as the shape says: unexpected number`},
		"data nested too deep":    {x("[1,2]", "FP32", "[[[1,2]]]"), `input "x": data must be numbers, flat or nested as the shape says: unexpected array`},
		"a string among numbers":  {x("[1,2]", "FP32", `[1,"2"]`), `input "x": data must be numbers, flat or nested as the shape says: unexpected string`},
		"null among numbers":      {x("[1,2]", "FP32", `[1,null]`), `input "x": data holds null`},
		"data that is a string":   {x("[1,2]", "FP32", `"AAAA"`), `input "x": data must be numbers, flat or nested as the shape says: unexpected string`},
		"BYTES":                   {x("[1,2]", "BYTES", "[1,2]"), `input "x" is FP32; datatype "BYTES" cannot be taken for it, send FP32, FP64 or an integer datatype`},
		"an unknown datatype":     {x("[1,2]", "float", "[1,2]"), `input "x" is FP32; datatype "float" cannot be taken for it, send FP32, FP64 or an integer datatype`},
		"a number over FP32":      {x("[1,2]", "FP64", "[1,1e39]"), `input "x": element 1 is 1e+39, which does not fit the model's FP32`},
		"a fraction as UINT8":     {x("[1,2]", "UINT8", "[1,1.5]"), `input "x": element 1 is 1.5, which is not UINT8`},
		"256 as UINT8":            {x("[1,2]", "UINT8", "[256,1]"), `input "x": element 0 is 256, which is not UINT8`},
		"a number over FP64":      {x("[1,2]", "FP64", "[1,1e999]"), `input "x": data must be numbers, flat or nested as the shape says: unexpected number 1e999`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(map[string]string{"error": c.message})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, call(t, server(adder{}, true), "POST", "/v2/models/adder/infer", c.request), 400, string(want))
		})
	}

	t.Run("a body over the limit with 413", func(t *testing.T) {
		w := call(t, server(adder{}, true), "POST", "/v2/models/adder/infer", good+strings.Repeat(" ", 1000))
		expect(t, w, 413, `{"error":"the body is over the limit of 1000 bytes"}`)
	})
	t.Run("binary tensors", func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v2/models/adder/infer", strings.NewReader(good))
		r.Header.Set("Inference-Header-Content-Length", "10")
		w := httptest.NewRecorder()
		server(adder{}, true).ServeHTTP(w, r)
		expect(t, w, 400, `{"error":"this server does not offer the binary_tensor_data extension; send all data as JSON"}`)
	})
	t.Run("a failing model with 500", func(t *testing.T) {
		w := call(t, server(adder{errors.New("out of luck")}, true), "POST", "/v2/models/adder/infer", good)
		expect(t, w, 500, `{"error":"the model failed: out of luck"}`)
	})
}

func TestHeadGoesWithGet(t *testing.T) {
	if w := call(t, server(adder{}, true), "HEAD", "/v2/health/ready", ""); w.Code != 200 {
		t.Errorf("got %d, want 200", w.Code)
	}
}

func FuzzInferNeverBreaks(f *testing.F) {
	f.Add(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1,2]]},{"name":"n","shape":[1],"datatype":"INT32","data":[1]}]}`)
	f.Add(`{"id":"","inputs":[{"name":"x","shape":[],"datatype":"BYTES","data":null}]}`)
	h := server(adder{}, true)
	f.Fuzz(func(t *testing.T, body string) {
		w := call(t, h, "POST", "/v2/models/adder/infer", body)
		if w.Code >= 500 {
			t.Errorf("status %d for %s", w.Code, body)
		}
		var answer struct {
			Error     *string `json:"error"`
			ModelName *string `json:"model_name"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("the answer is not JSON: %v", err)
		}
		if (w.Code == 200) != (answer.ModelName != nil) || (w.Code != 200) != (answer.Error != nil) {
			t.Errorf("status %d with body %s", w.Code, w.Body)
		}
	})
}

func expect(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || strings.TrimSpace(w.Body.String()) != body {
		t.Errorf("got  %d %swant %d %s", w.Code, w.Body, status, body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
}
