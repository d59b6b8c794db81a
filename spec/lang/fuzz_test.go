package lang

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec/diag"
)

// tooLong is when a load counts as hung. Fuzzing runs on every core at once.
const tooLong = time.Minute

func seeds(f *testing.F) {
	for _, src := range specFiles(f) {
		f.Add(src)
	}
	for _, src := range bombs(2000) {
		f.Add([]byte(src))
	}
	f.Add([]byte(sample))
}

// checkLoad loads whatever it is given: no panic, no hang, every error with
// words, every range inside of its file, no output that a terminal acts on.
func checkLoad(t *testing.T, repo tree, name string) {
	t.Helper()
	start := time.Now()
	o := Options{Environment: "prod", Limits: Limits{LoadSteps: 300_000}}
	cfg, diags := NewLoader().Load(repo, o)
	if (cfg == nil) != diags.HasErrors() {
		t.Errorf("config %v with %v", cfg, diags)
	}
	for _, d := range diags {
		if d.Summary == "" || d.Detail == "" {
			t.Errorf("no words: %+v", d)
		}
		if s := d.Subject; s != nil && (s.Start.Byte < 0 || s.Start.Byte > len(repo[name]) || s.End.Byte < s.Start.Byte) {
			t.Errorf("range outside of the file: %+v", *s)
		}
	}
	printed := text(t, diags, repo)
	if strings.ContainsAny(printed, "\x00\x1b\r") {
		t.Errorf("control characters in %q", printed)
	}
	diag.Report(diags, Sources(repo))
	if took := time.Since(start); took > tooLong {
		t.Errorf("took %s", took)
	}
}

func FuzzLoad(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		checkLoad(t, tree{"a.hcl": string(src), "data/digits.json": "{}"}, "a.hcl")
	})
}

func FuzzJSON(f *testing.F) {
	for _, src := range []string{
		`{}`, `[]`, `{"model":{"a":{"image":"a:1","route":[{"path":"/a","fallback":"model.b"}]}}}`,
		`{"locals":{"x":"${1+1}","y":[1,true,null,{"a":"%{if true}b%{endif}"}]},"//":"comment"}`,
		`{"variable":{"v":{"type":"list(string)","default":["a"]}},"moved":{"from":"model.a","to":"model.b[\"k\"]"}}`,
		`{"secret":{"k":{"env":"K"}},"model":{"a":{"image":"a:1","metrics":{"port":9090},"route":{"path":"/a","limit":{"rate":5},"auth":{"api_keys":["${secret.k}"],"jwt":{"issuer":"i","audience":"a","keys":"{\"keys\":[]}"}}}}}}`,
		`{"model":{"a":{"image":"a:1","rollout":{"strategy":"shadow","mirror":{"percent":5},"sticky":{"cookie":"c"},"check":{"x":{"metric":"score_shift","output":"y","max":0.1}}}}}}`,
		`{"dataset":{"d":{"source":"volume://a","expect":[{"rows":{"min":1}},{"column":{"name":"c","type":"integer"}}]}},"policy":{"q":{"for":"model","require":"${length(model.owners) > 0}"}}}`,
		`{"pipeline":{"p":{"on":["change","dataset.d"],"param":{"x":{"default":1}},"step":{"a":{"image":"a:1","inputs":{"d":"dataset.d"},"env":{"A":"${param.x}-${run.id}"},"command":["a","${param.x+1}"],"matrix":{"h":[1,2]},"outputs":["m"],"metrics":"m.json","when":"${param.x>1&&true}"}},"select":{"b":{"of":"step.a","maximize":"acc"}},"gate":{"g":{"require":"${select.b.metrics.acc>=try(live.m.metrics.acc,0)}"}},"publish":{"model":"model.m","artifact":"select.b.m","version":"minor"}}}}`,
		`{"version":{"m@1.0.0":{"artifact":"oci://local/m@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a","created":"2026-01-01","metrics":{"a":1},"step":{"a":{"image":"a"}},"gate":{"g":{"outcome":"passed"}}}}}`,
		`{"trust":{"mode":"head","signer":{"ann":{"ssh":["` + annKey + `"],"role":"bot"}},"review":{"r":{"paths":["a/**"],"approvals":1,"from":["@ann"]}}}}`,
		`{"approval":[{"a":{"revision":"4f2a90b1c2d3","step":1}},{"a":{"revision":"4f2a90b1c2d3","step":2,"environment":"environment.prod"}}],"promote":{"prod":{"from":"environment.staging","models":["model.a"],"require":["${from.hours > 1}"]}},"environment":{"prod":{},"staging":{}}}`,
		`{"notifier":{"n":{"kind":"slack","url":"${secret.s}","events":["held"],"title":"{{ .Title }}"}},"secret":{"s":{"sops":"s.yaml","key":"a.b"}},"include":{"i":{"repo":"git@example.com:a.git","prefix":"i_","trust":{"mode":"off"}}}}`,
		`[{"model":{"a":[{"image":"${var.v}"}]}},{"environment":{"prod":{"model":{"a":{"replicas":2}}}}}]`,
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		checkLoad(t, tree{"a.hcl.json": string(src)}, "a.hcl.json")
	})
}

func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		checkFormat(t, "the input", src)
	})
}

// A model card comes from whoever can open a pull request, too.
func FuzzCard(f *testing.F) {
	for _, text := range []string{
		"---\na: b\nlist: [1, {x: true}]\n---\n# Title\n", "---\n? [a]\n: *b\n---\n", "---\na: &x [*x]\n---\n", "---\n!!map {a: .inf}\n...\n", "---\r\n\ta: 1\r\n---", "---\na: |\n  text\n---\n",
		"---\n<<: {a: 1}\n---\n", "---\n%YAML 1.2\n---\na: 1\n---\n", "\ufeff---\nd: 2026-01-01T00:00:00Z\nb: 0b1\n---\n",
	} {
		f.Add([]byte(text))
	}
	const src = "model \"m\" {\n  image = \"m:1\"\n  card  = \"card.md\"\n}\n"
	f.Fuzz(func(t *testing.T, text []byte) {
		checkLoad(t, tree{"a.hcl": src, "card.md": string(text)}, "card.md")
	})
}
