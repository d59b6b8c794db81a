package lang

import (
	"strings"
	"testing"
)

func TestJSONMistakesHaveTheSameDiagnosticsAndAPlace(t *testing.T) {
	cases := map[string]struct{ src, summary, detail string }{
		"no JSON":                       {`{"model": `, "", ""},
		"not an object":                 {`3`, "Root value must be object", ""},
		"an unknown block":              {`{"modle": {}}`, "Unknown block", "Did you mean model?"},
		"an unknown argument":           {`{"model": {"a": {"image": "a:1", "replica": 2}}}`, "Unknown argument", "Did you mean replicas?"},
		"a block that is no object":     {`{"model": {"a": 3}}`, "Incorrect JSON value type", ""},
		"a missing label":               {`{"model": {}}`, "Missing block label", ""},
		"an argument twice":             {`{"model": {"a": {"image": "a:1", "image": "b:1"}}}`, "Duplicate attribute definition", ""},
		"a model twice":                 {`{"model": {"a": [{"image": "a:1"}, {"image": "a:2"}]}}`, "Duplicate block", "a.hcl.json:1"},
		"a keyword that is none":        {`{"model": {"a": {"image": "a:1", "protocol": "htpp"}}}`, "Unknown keyword", "Did you mean http?"},
		"a reference that is none":      {`{"model": {"a": {"image": "a:1", "route": {"path": "/a", "fallback": "small"}}}}`, "Wrong kind of reference", "model.small"},
		"a reference that cannot parse": {`{"model": {"a": {"image": "a:1", "route": {"path": "/a", "fallback": "model."}}}}`, "Invalid expression", "none"},
		"a template that cannot parse":  {`{"model": {"a": {"image": "${"}}}`, "Missing expression", ""},
		"an unknown variable":           {`{"model": {"a": {"image": "${var.x}"}}}`, "Unknown variable", "Declare it"},
		"a number as version":           {`{"model": {"a": {"image": "a:1", "version": 1.10}}}`, "Wrong type", "quotes"},
		"a string as number":            {`{"model": {"a": {"image": "a:1", "replicas": "2"}}}`, "Wrong type", "without quotes"},
		"a foreign file":                {`{"resource": {}}`, "File of another tool", "Terraform"},
		"a condition in quotes":         {`{"policy": {"a": {"for": "model", "require": "length(model.owners) > 0"}}}`, "Condition expected", "${"},
		"a fact that nothing has":       {`{"policy": {"a": {"for": "model", "require": "${length(model.owner) > 0}"}}}`, "Unknown fact", "Did you mean owners?"},
		"an unknown step":               {`{"pipeline": {"p": {"step": {"a": {"image": "a:1", "outputs": ["m"]}, "b": {"image": "b:1", "inputs": {"m": "step.c.m"}}}}}}`, "Unknown step", "no step"},
		"an unknown trigger":            {`{"pipeline": {"p": {"on": ["chnage"], "step": {"a": {"image": "a:1"}}}}}`, "Unknown keyword", "Did you mean change?"},
		"an input that is no reference": {`{"pipeline": {"p": {"step": {"a": {"image": "a:1", "inputs": {"d": 3}}}}}}`, "Reference expected", "dataset.NAME"},
		"an argument at the top":        {`{"image": "a:1"}`, "Unknown block", "It belongs into model"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			repo := tree{"a.hcl.json": c.src}
			_, diags := NewLoader().Load(repo, Options{})
			if len(diags) != 1 || c.summary != "" && diags[0].Summary != c.summary || !strings.Contains(diags[0].Detail, c.detail) {
				t.Errorf("got\n%s", text(t, diags, repo))
			}
			for _, d := range diags {
				if d.Subject == nil || d.Subject.Filename != "a.hcl.json" {
					t.Errorf("no place: %+v", d)
				}
			}
		})
	}
}

func TestTemplatesInJSONAreEvaluatedEverywhere(t *testing.T) {
	repo := tree{"a.hcl.json": `{
  "//": "a comment",
  "locals": {"n": 2, "text": "x${1+1}", "list": ["${local.n + 1}", {"k${local.n}": true}]},
  "model": {"a": {"//": "another", "image": "a:${local.text}", "replicas": "${local.list[0]}", "env": {"K${local.n}": "$${HOME}"}}}
}`}
	m := mustLoad(t, NewLoader(), repo, Options{}).Model("a")
	if m.Image != "a:x2" || m.Replicas != 3 || m.Container.Env["K2"].Value != "${HOME}" {
		t.Errorf("got %+v", m)
	}
}
