package review_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
	"github.com/fairlead/fairlead/spec/lang"
)

const written = `
variable "share" {
  default = 0.5
}
variable "next" {
  default = "1.0.0"
}
locals {
  min    = 0.95
  full   = true
  limit  = "1h"
  owners = 2
  words  = ["a", "b"]
}
model "digits" {
  version = "0.9.0"
  image   = "digits:1"
}
dataset "rows" {
  source = "rows.csv"
}
pipeline "train" {
  timeout = local.limit
  step "fit" {
    image   = "train:1"
    inputs  = { data = dataset.rows }
    outputs = ["model"]
    metrics = "metrics.json"
    env     = { SHARE = "${var.share}-${run.id}", PLAIN = "${var.share}" }
    when    = run.id != "" && local.full
    command = ["--words=${run.id}-${length(local.words)}"]
    resources {
      memory = "1GiB"
    }
  }
  gate "good" {
    require = step.fit.metrics.accuracy >= local.min
  }
  publish {
    model    = model.digits
    artifact = step.fit.model
    version  = var.next
  }
}
policy "owned" {
  for     = model
  where   = model.version != "" && local.full
  require = length(model.owners) >= local.owners
}
environment "prod" {
}
`

// load reads specs as they stand in a repo.
func load(t *testing.T, environment, text string) *spec.Config {
	t.Helper()
	var files []spec.Content
	for name, data := range map[string]string{"a.hcl": text, "rows.csv": "a\n1\n"} {
		files = append(files, spec.Content{File: spec.File{Path: name, Hash: data, Size: int64(len(data))}, Data: []byte(data)})
	}
	cfg, diags := lang.NewLoader().Load(spec.NewTree(spec.Commit{}, files), lang.Options{Environment: environment})
	if err := diags.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cfg
}

func TestWhatANameStandsForIsCompared(t *testing.T) {
	gate := plan.Field{
		Path: "gate.good.require",
		Old:  "step.fit.metrics.accuracy >= local.min, that is step.fit.metrics.accuracy >= 0.95",
		New:  "step.fit.metrics.accuracy >= local.min, that is step.fit.metrics.accuracy >= 0.05",
	}
	for name, c := range map[string]struct {
		old, new string
		of       string
		fields   []plan.Field
		reruns   bool
	}{
		"a gate": {"min    = 0.95", "min    = 0.05", "pipeline.train", []plan.Field{gate}, true},
		"a gate of one environment": {
			"environment \"prod\" {\n", "environment \"prod\" {\n  locals {\n    min = 0.05\n  }\n", "pipeline.train", []plan.Field{gate}, true,
		},
		"a gate by an overlay": {
			"environment \"prod\" {\n", "environment \"prod\" {\n  pipeline \"train\" {\n    gate \"good\" {\n      level = advisory\n    }\n  }\n",
			"pipeline.train",
			[]plan.Field{{Path: "gate.good.level", Old: "hard", New: "advisory"}},
			true,
		},
		"variables": {"default = 0.5", "default = 0.25", "pipeline.train", []plan.Field{
			{Path: "step.fit.env.PLAIN", Old: `"0.5"`, New: `"0.25"`},
			{Path: "step.fit.env.SHARE", Old: `"${var.share}-${run.id}", that is "0.5-${run.id}"`, New: `"${var.share}-${run.id}", that is "0.25-${run.id}"`},
		}, true},
		"a version": {
			`default = "1.0.0"`, `default = "2.0.0"`, "pipeline.train",
			[]plan.Field{{Path: "publish.version", Old: `var.next, that is "1.0.0"`, New: `var.next, that is "2.0.0"`}},
			true,
		},
		"a version of one environment": {
			"environment \"prod\" {\n", "environment \"prod\" {\n  variable \"next\" {\n    default = \"2.0.0\"\n  }\n", "pipeline.train",
			[]plan.Field{{Path: "publish.version", Old: `var.next, that is "1.0.0"`, New: `var.next, that is "2.0.0"`}},
			true,
		},
		"a bump": {"version  = var.next", "version  = minor", "pipeline.train", []plan.Field{{Path: "publish.version", Old: `var.next, that is "1.0.0"`, New: "minor"}}, true},
		"an argument": {
			`["a", "b"]`, `["a"]`, "pipeline.train",
			[]plan.Field{{Path: "step.fit.command[0]", Old: `"--words=${run.id}-${length(local.words)}", that is "--words=${run.id}-2"`, New: `"--words=${run.id}-${length(local.words)}", that is "--words=${run.id}-1"`}},
			true,
		},
		"a time":  {`"1h"`, `"90m"`, "pipeline.train", []plan.Field{{Path: "timeout", Old: "1h", New: "1h30m"}}, true},
		"a size":  {`"1GiB"`, `"4GiB"`, "pipeline.train", []plan.Field{{Path: "step.fit.resources.memory", Old: "1GiB", New: "4GiB"}}, true},
		"a cache": {"outputs = [\"model\"]", "outputs = [\"model\"]\n    cache = false", "pipeline.train", []plan.Field{{Path: "step.fit.cache", Old: "true", New: "false"}}, true},
		"a policy": {"owners = 2", "owners = 0", "policy.owned", []plan.Field{{
			Path: "require", Old: "length(model.owners) >= local.owners, that is length(model.owners) >= 2", New: "length(model.owners) >= local.owners, that is length(model.owners) >= 0",
		}}, false},
		"an input": {"data = dataset.rows", "rows = dataset.rows", "pipeline.train", []plan.Field{{Path: "step.fit.inputs.data", Old: "dataset.rows"}, {Path: "step.fit.inputs.rows", New: "dataset.rows"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(written, c.old, c.new, 1)
			before, after := load(t, "prod", written), load(t, "prod", "# moved down\n"+changed)
			got := review.DeclaredOf(before, after)
			if len(got) != 1 || got[0].Address.String() != c.of || !slices.Equal(got[0].Fields, c.fields) {
				t.Fatalf("got %+v", got)
			}
			if reruns := len(review.Touched(after, got)) > 0; reruns != c.reruns {
				t.Errorf("a run could be another one: %v", reruns)
			}
		})
	}
	both := review.DeclaredOf(load(t, "prod", written), load(t, "prod", strings.Replace(written, "full   = true", "full   = false", 1)))
	if len(both) != 2 || both[0].Fields[0].Path != "step.fit.when" || both[1].Fields[0].Path != "where" {
		t.Errorf("got %+v", both)
	}
	same := strings.NewReplacer(">= local.min", ">= 0.95", "&& local.full", "&& true").Replace(written)
	if got := review.DeclaredOf(load(t, "prod", written), load(t, "prod", same)); len(got) != 0 {
		t.Errorf("what says the same differs: %+v", got)
	}
	gates := review.DeclaredOf(&spec.Config{}, load(t, "prod", written))[0].Gates
	if len(gates) != 1 || gates[0].Require != gate.Old {
		t.Errorf("a run has to pass %+v", gates)
	}
}

func TestALongListBehindANameIsCompared(t *testing.T) {
	with := func(last string) *spec.Config {
		text := strings.Replace(written, `["a", "b"]`, `["`+strings.Repeat(`long", "`, 80)+last+`"]`, 1)
		return load(t, "prod", strings.Replace(text, `model.version != ""`, "contains(local.words, model.version)", 1))
	}
	got := review.DeclaredOf(with("x"), with("y"))
	if len(got) != 1 || len(got[0].Fields) != 1 || got[0].Address.Kind != spec.KindPolicy {
		t.Fatalf("got %+v", got)
	}
	if f := got[0].Fields[0]; f.Path != "where" || !strings.HasPrefix(f.Old, "…") || !strings.Contains(f.Old, `"x"`) || !strings.Contains(f.New, `"y"`) {
		t.Errorf("got %+v", f)
	}
}

// leaf is a value that holds no others.
type leaf struct {
	path string
	v    reflect.Value
}

// filled makes every field of a value say something.
func filled(path string, v reflect.Value) []leaf {
	one := []leaf{{path, v}}
	switch v.Interface().(type) {
	case spec.Pos:
		return nil
	case spec.Address:
		v.Set(reflect.ValueOf(spec.Address{Kind: spec.KindModel, Name: "a"}))
		return one
	case expr.Expr:
		v.Set(reflect.ValueOf(expr.Of("a")))
		return one
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return one
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		all := filled(path, v.Elem())
		if !strings.HasSuffix(path, "[]") { // no list holds nil
			all = append(all, one...)
		}
		return all
	case reflect.Struct:
		var all []leaf
		for i := range v.NumField() {
			all = append(all, filled(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
		return all
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return append(filled(path+"[]", v.Index(0)), one...)
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		filled(path, element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("pos"), element)
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf("a"))
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
	return one
}

func TestEveryFieldOfTheSpecsCounts(t *testing.T) {
	// Of two that exclude each other one is told. The name of a file follows from where it
	// is, and that of an object from its address.
	untold := map[string]bool{
		".Name": true,
		".Steps[].Container.Resources.GPUs.Count": true, ".Publish.Bump": true, ".Source.File": true,
	}
	check := func(make func() (*spec.Config, any)) {
		cfg, of := make()
		all := filled("", reflect.ValueOf(of).Elem())
		if got := review.DeclaredOf(cfg, cfg); len(all) < 8 || len(got) != 0 {
			t.Fatalf("%d fields, and %+v", len(all), got)
		}
		for i := range all {
			other, of := make()
			changed := filled("", reflect.ValueOf(of).Elem())[i]
			changed.v.SetZero()
			if got := review.DeclaredOf(cfg, other); len(got) == 0 && !untold[changed.path] {
				t.Errorf("%T%s differs, and nothing is told", of, changed.path)
			}
		}
	}
	check(func() (*spec.Config, any) {
		p := &spec.Pipeline{}
		return &spec.Config{Pipelines: []*spec.Pipeline{p}}, p
	})
	check(func() (*spec.Config, any) {
		d := &spec.Dataset{}
		return &spec.Config{Datasets: []*spec.Dataset{d}}, d
	})
	check(func() (*spec.Config, any) {
		p := &spec.Policy{}
		return &spec.Config{Policies: []*spec.Policy{p}}, p
	})
}
