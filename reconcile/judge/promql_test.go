package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

func TestQueriesAreFilledIn(t *testing.T) {
	v := Vars{Model: "digits", Stable: "aaa", Candidate: "bbb", Window: 90 * time.Second, Output: `di"git`}
	for _, test := range []struct {
		name  string
		check spec.Check
		vars  Vars
		want  []string
	}{
		{"errors of both revisions", errorsVs, v, []string{
			`sum by (revision, instance, code) (fairlead_requests_total{job="gateway",model="digits",revision=~"bbb|aaa",code=~"2xx|3xx|4xx|5xx"})`,
		}},
		{"latencies, with those that clients did not wait for", latencyMax, v, []string{
			`sum by (revision, instance) (fairlead_request_duration_seconds{job="gateway",model="digits",revision=~"bbb|aaa",code=~"2xx|3xx|4xx"})`,
			`sum by (revision) (increase(fairlead_request_duration_seconds{job="gateway",model="digits",revision=~"bbb|aaa",code=~"2xx|3xx|4xx|client_gone"}[90s]))`,
			`sum by (revision, instance) (fairlead_request_duration_seconds{job="gateway",model="digits",revision=~"bbb|aaa",code="client_gone"})`,
		}},
		{"errors without stable", errorsMax, Vars{Model: "digits", Candidate: "bbb"}, []string{
			`sum by (revision, instance, code) (fairlead_requests_total{job="gateway",model="digits",revision=~"bbb",code=~"2xx|3xx|4xx|5xx"})`,
		}},
		{"several environments in one store", errorsMax, Vars{Model: "digits", Candidate: "bbb", Environment: "prod"}, []string{
			`sum by (revision, instance, code) (fairlead_requests_total{job="gateway",environment="prod",model="digits",revision=~"bbb",code=~"2xx|3xx|4xx|5xx"})`,
		}},
		{"an output's name is quoted", scores, v, []string{
			`sum by (revision, instance) (fairlead_output_values{job="gateway",model="digits",revision=~"bbb|aaa",output="di\"git"})`,
			`sum by (revision) (increase(fairlead_output_values{job="gateway",model="digits",revision=~"bbb|aaa",output="di\"git"}[90s]))`,
		}},
		{"a name that is no plain word stays one name", crashes, Vars{Model: `a"b\`, Candidate: `x.y|z`}, []string{
			`sum by (revision, instance) (fairlead_replica_restarts_total{job="fairlead",model="a\"b\\",revision=~"x\\.y\\|z"})`,
		}},
		{"a query", spec.Check{Query: `rate(x{m="$model",r="$candidate",s='$stable'}[$window]) / $other`, Max: limit(1)}, v, []string{
			`rate(x{m="digits",r="bbb",s='aaa'}[90s]) / $other`,
		}},
		{"a query beside stable", spec.Check{Query: `x{r="$candidate"}`, MaxVsStable: limit(1)}, v, []string{`x{r="bbb"}`, `x{r="aaa"}`}},
		{"a window below a second", spec.Check{Query: `[$window]`, Max: limit(1)}, Vars{Window: 1500 * time.Millisecond}, []string{`[1500ms]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, q := range Compile(test.check, test.vars) {
				got = append(got, q.PromQL)
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestTheBudgetIsSharedByStatisticalChecksOnly(t *testing.T) {
	if got, want := Alpha([]spec.Check{errorsMax, latencyVs, accuracy, crashes}), Budget/2; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Alpha([]spec.Check{accuracy}); got != Budget {
		t.Errorf("got %v, want %v", got, Budget)
	}
}
