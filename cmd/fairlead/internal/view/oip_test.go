package view_test

import (
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/providers/oip"
)

func sampleReport() *oip.Report {
	return &oip.Report{
		FormatVersion: oip.FormatVersion, URL: "http://127.0.0.1:8080", Model: "fraud", Server: "mlserver 1.7.0",
		Summary: oip.Summary{Passed: 1, Failed: 2, Skipped: 1},
		Results: []oip.Result{
			{ID: "server-live", Section: "Health", Endpoint: "GET /v2/health/live", Demand: "a server that runs answers 200", Outcome: oip.Passed, Sent: "GET /v2/health/live", Answered: "200"},
			{
				ID: "infer-id", Section: "Inference Response JSON Object", Endpoint: "POST /v2/models/M/infer", Demand: "the id of the request comes back",
				Outcome: oip.Failed, Reason: `the field "id" is missing`, Sent: `POST /v2/models/fraud/infer {"id":"7","inputs":[]}`, Answered: `200 {"model_name":"fraud"}`,
			},
			{
				ID: "error-shape", Section: "Inference Response JSON Error Object", Endpoint: "POST /v2/models/M/infer", Demand: "an input with a dimension too many is refused",
				Outcome: oip.Failed, Reason: "no whole answer within 10s", Sent: "POST /v2/models/fraud/infer {}",
			},
			{ID: "binary-input", Demand: "if announced: inputs are taken as binary", Outcome: oip.Skipped, Reason: "the server does not announce binary_tensor_data"},
		},
	}
}

func TestConformanceShowsWhatDecidedEachFailure(t *testing.T) {
	golden(t, "oip", func(v *view.View) error { return v.Conformance(sampleReport()) })
}

func TestConformanceOfAGoodServerSaysSo(t *testing.T) {
	r := sampleReport()
	r.Conforms, r.Results, r.Summary = true, r.Results[:1], oip.Summary{Passed: 1}
	golden(t, "oip-conforms", func(v *view.View) error { return v.Conformance(r) })
}

func TestConformanceWithoutModelSaysWhy(t *testing.T) {
	r := sampleReport()
	r.Model, r.Problem = "", "say which model is meant (--model NAME): the server has churn, fraud"
	r.Results, r.Summary = r.Results[:1], oip.Summary{Passed: 1}
	golden(t, "oip-problem", func(v *view.View) error { return v.Conformance(r) })
}
