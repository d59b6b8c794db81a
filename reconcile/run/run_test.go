package run_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

func TestARunGoesThroughItsGraphAndPublishesTheBest(t *testing.T) {
	w := newWorld(t, digits(), nil)
	w.programs["train.1"] = program{takes: time.Second, metrics: map[string]float64{"accuracy": 0.95}}
	w.finish()
	r := w.run
	if r.Outcome != run.Succeeded || w.published != 1 || r.Published == nil {
		t.Fatalf("%s %q, published %d times: %s", r.Outcome, r.Reason, w.published, w.phases())
	}
	if best := r.Selected(r.Definition.Selects[0]); best.ID != "train.1" {
		t.Errorf("best is %s", best.ID)
	}
	if len(w.containers) > 0 {
		t.Errorf("containers are left: %v", w.containers)
	}
	if w.started["end"] != 1 || r.Nodes["end"].KeyOf.Env["OUTCOME"] != "succeeded" {
		t.Errorf("the exit step ran %d times, and was told %q", w.started["end"], r.Nodes["end"].KeyOf.Env["OUTCOME"])
	}
	v, err := r.Version(w.now)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(v.Steps)); !slices.Equal(got, []string{"split", "train.1"}) {
		t.Errorf("it was made by %v", got)
	}
	if v.Data["digits"] != "sha256:d" || v.Metrics["accuracy"] != 0.9 || v.Params["share"] != 0.2 || v.Steps["train.1"].Values["hidden"] != 64.0 {
		t.Errorf("got %+v", v)
	}
}

func TestASecondRunTakesEverythingFromTheCache(t *testing.T) {
	w := newWorld(t, digits(), nil)
	w.finish()
	w.begin(digits(), nil)
	clear(w.started)
	w.finish()
	if len(w.started) != 1 || w.started["end"] != 1 || w.run.Outcome != run.Succeeded {
		t.Errorf("started %v, %s %s", w.started, w.run.Outcome, w.run.Reason)
	}
	if s := w.run.Summary(); s.Cached != 4 || s.Steps != 5 || s.Ended != 5 {
		t.Errorf("got %+v", s)
	}
}

// What changes decides what runs again: exactly what depends on it.
func TestOnlyWhatDependsOnAChangeRunsAgain(t *testing.T) {
	for name, c := range map[string]struct {
		params map[string]any
		change func(*spec.Pipeline)
		want   []string
	}{
		"nothing":                {want: nil},
		"a parameter of split":   {params: map[string]any{"share": 0.3}, want: []string{"evaluate", "split", "train.0", "train.1"}},
		"a parameter of the end": {params: map[string]any{"note": "y"}, want: []string{"evaluate"}},
		"an env value":           {change: func(p *spec.Pipeline) { step(p, "train").Env["X"] = spec.StepValue{Expr: expr.Of("1")} }, want: []string{"evaluate", "train.0", "train.1"}},
		"a value of the matrix":  {change: func(p *spec.Pipeline) { step(p, "train").Matrix[0].Values = []any{32.0, 128.0} }, want: []string{"train.1"}},
		"an image":               {change: func(p *spec.Pipeline) { step(p, "evaluate").Image = "other" }, want: []string{"evaluate"}},
		"a command":              {change: func(p *spec.Pipeline) { step(p, "evaluate").Command = []expr.Expr{expr.Of("go")} }, want: []string{"evaluate"}},
		"retries and time-out":   {change: func(p *spec.Pipeline) { step(p, "train").Retries, step(p, "train").Timeout = 3, time.Hour }, want: nil},
		"memory":                 {change: func(p *spec.Pipeline) { step(p, "train").Container.Resources.Memory = 1 << 30 }, want: nil},
		"positions and words":    {change: func(p *spec.Pipeline) { p.Description, step(p, "train").Pos = "new", spec.Pos{Line: 9} }, want: nil},
		"the order of steps":     {change: func(p *spec.Pipeline) { slices.Reverse(p.Steps) }, want: nil},
		"cache = false":          {change: func(p *spec.Pipeline) { step(p, "split").NoCache = true }, want: []string{"split"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, digits(), nil)
			w.finish()
			p := digits()
			if c.change != nil {
				c.change(p)
			}
			before := w.run
			w.begin(p, c.params)
			clear(w.started)
			preview := w.preview(p, c.params, before)
			w.finish()
			delete(w.started, "end")
			if got := slices.Sorted(maps.Keys(w.started)); !slices.Equal(got, c.want) {
				t.Errorf("started %v, want %v", got, c.want)
			}
			// The plan said so before. Where it waits for others it does not promise.
			for _, n := range preview.Nodes {
				if ran := w.started[n.Node] > 0; n.Step != "end" && len(n.Depends) == 0 && n.Hit == ran {
					t.Errorf("the preview of %s says hit %t", n.Node, n.Hit)
				}
				if n.Step != "end" && len(n.Depends) == 0 && !n.Hit && n.Why == "" {
					t.Errorf("the preview does not say why %s runs", n.Node)
				}
			}
		})
	}
}

func (w *world) preview(p *spec.Pipeline, params map[string]any, before *run.Run) *run.Preview {
	w.t.Helper()
	r, err := run.New("p-0", p, params, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	prepared := &run.Prepared{Images: map[string]reconcile.Image{}, Datasets: map[string]run.Dataset{"digits": {Digest: "sha256:d", Content: "sha256:c"}}}
	for _, s := range p.Steps {
		prepared.Images[s.Image] = reconcile.Image{Ref: s.Image, Pin: s.Image + "@sha256:1"}
	}
	return run.PreviewOf(r, prepared, nil, before, func(key string) *run.Result {
		if hit, found := w.cache[key]; found {
			return &hit
		}
		return nil
	}, w.now)
}

func TestPreviewNamesWhatDiffers(t *testing.T) {
	w := newWorld(t, digits(), nil)
	w.finish()
	preview := w.preview(digits(), map[string]any{"share": 0.3}, w.run)
	for _, n := range preview.Nodes {
		switch n.Node {
		case "split":
			if n.Hit || n.Why != `env.SHARE = "0.3", was "0.2"` {
				t.Errorf("split: %+v", n)
			}
		case "train.0":
			if n.Hit || !slices.Equal(n.Depends, []string{"split"}) {
				t.Errorf("train.0: %+v", n)
			}
		}
	}
}

func TestHowAttemptsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		program program
		change  func(*spec.Step)
		cause   spec.StepCause
		word    string
	}{
		"exit code":             {program: program{code: 3}, cause: spec.CauseExit, word: "exit code 3"},
		"command not found":     {program: program{code: 127}, cause: spec.CauseExit, word: "was not found"},
		"signal":                {program: program{code: 139}, cause: spec.CauseExit, word: "signal 11"},
		"out of memory":         {program: program{code: 137, oom: true}, cause: spec.CauseOOM, word: "resources.memory"},
		"out of memory, unsaid": {program: program{code: 137}, change: func(s *spec.Step) { s.Container.Resources.Memory = 32 << 20 }, cause: spec.CauseExit, word: "raise resources.memory, which is 32 MiB"},
		"too long":              {program: program{hang: true}, change: func(s *spec.Step) { s.Timeout = time.Minute }, cause: spec.CauseTimeout, word: "timeout of 1m0s"},
		"vanishes":              {program: program{vanish: true}, cause: spec.CauseEngine, word: "gone"},
		"no output":             {program: program{err: errors.New("output test was not written"), cause: spec.CauseOutput}, cause: spec.CauseOutput, word: "not written"},
		"no metric":             {program: program{err: errors.New("the metrics hold NaN"), cause: spec.CauseMetrics}, cause: spec.CauseMetrics, word: "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			p := digits()
			if c.change != nil {
				c.change(step(p, "split"))
			}
			w := newWorld(t, p, nil)
			w.programs["split"] = c.program
			w.finish()
			n := w.run.Nodes["split"]
			if n.Phase != run.NodeFailed || n.Cause != c.cause || !strings.Contains(n.Reason, c.word) {
				t.Errorf("split: %s %s %q", n.Phase, n.Cause, n.Reason)
			}
			if w.run.Outcome != run.Failed || !strings.Contains(w.run.Reason, c.word) || w.published > 0 {
				t.Errorf("%s %q, published %d", w.run.Outcome, w.run.Reason, w.published)
			}
			if w.phase("train.0") != run.NodeSkipped || w.phase("evaluate") != run.NodeSkipped || w.started["end"] != 1 {
				t.Errorf("the others: %s", w.phases())
			}
			if len(w.containers) > 0 {
				t.Errorf("left: %v", w.containers)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	fails := program{takes: time.Second, code: 1}
	for name, c := range map[string]struct {
		change   func(*spec.Step)
		failing  int
		program  program
		attempts int
		outcome  run.Outcome
	}{
		"none are declared":            {failing: 1, program: fails, attempts: 1, outcome: run.Failed},
		"one is enough":                {change: func(s *spec.Step) { s.Retries = 2 }, failing: 1, program: fails, attempts: 2, outcome: run.Succeeded},
		"not enough":                   {change: func(s *spec.Step) { s.Retries = 2 }, failing: 9, program: fails, attempts: 3, outcome: run.Failed},
		"another cause":                {change: func(s *spec.Step) { s.Retries, s.RetryOn = 2, []spec.StepCause{spec.CauseTimeout} }, failing: 9, program: fails, attempts: 1, outcome: run.Failed},
		"out of memory is not retried": {change: func(s *spec.Step) { s.Retries = 2 }, failing: 9, program: program{oom: true}, attempts: 1, outcome: run.Failed},
		"the engine's own are free":    {failing: 3, program: program{vanish: true}, attempts: 4, outcome: run.Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			p := digits()
			if c.change != nil {
				c.change(step(p, "split"))
			}
			w := newWorld(t, p, nil)
			for i := range c.failing {
				w.programs[attemptKey("split", i+1)] = c.program
			}
			w.finish()
			if w.started["split"] != c.attempts || w.run.Outcome != c.outcome {
				t.Errorf("%d attempts, %s: %s", w.started["split"], w.run.Outcome, w.run.Reason)
			}
		})
	}
}

func TestBackoffGrowsAndIsKept(t *testing.T) {
	p := digits()
	s := step(p, "split")
	s.Retries, s.Backoff, s.MaxBackoff = 4, 10*time.Second, 30*time.Second
	w := newWorld(t, p, nil)
	w.programs["split"] = program{code: 1}
	w.finish()
	past := w.run.Nodes["split"].Past
	for i, want := range []time.Duration{10, 20, 30, 30} {
		if got := past[i+1].Started.Sub(past[i].Finished).Round(time.Second); got < want*time.Second || got > (want+5)*time.Second {
			t.Errorf("retry %d came after %s, want about %d s", i+1, got, want)
		}
	}
}

func TestGates(t *testing.T) {
	missing := expr.Expr{Op: expr.Ge, Args: []expr.Expr{ref("step", "evaluate", "metrics", "recall"), expr.Of(0.8)}}
	for name, c := range map[string]struct {
		level    spec.GateLevel
		require  expr.Expr
		override bool
		outcome  run.Outcome
	}{
		"hard and not met":           {level: spec.LevelHard, outcome: run.Denied},
		"soft and not met":           {level: spec.LevelSoft, outcome: run.Denied},
		"soft and overridden":        {level: spec.LevelSoft, override: true, outcome: run.Succeeded},
		"hard takes no override":     {level: spec.LevelHard, override: true, outcome: run.Denied},
		"advisory":                   {level: spec.LevelAdvisory, outcome: run.Succeeded},
		"missing evidence denies":    {level: spec.LevelHard, require: missing, outcome: run.Denied},
		"missing evidence, advisory": {level: spec.LevelAdvisory, require: missing, outcome: run.Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			p := digits()
			p.Gates[0].Level = c.level
			if !c.require.IsZero() {
				p.Gates[0].Require = c.require
			}
			w := newWorld(t, p, nil)
			w.programs["evaluate"] = program{metrics: map[string]float64{"accuracy": 0.5}}
			if c.override {
				w.run.Overrides = map[string]gate.Override{"good": {Actor: "ann", Reason: "once"}}
			}
			w.finish()
			if w.run.Outcome != c.outcome || (w.published > 0) != (c.outcome == run.Succeeded) || w.started["end"] != 1 {
				t.Errorf("%s %q, published %d", w.run.Outcome, w.run.Reason, w.published)
			}
		})
	}
}

func TestCancelStopsContainersAndRunsExitSteps(t *testing.T) {
	w := newWorld(t, digits(), nil)
	w.programs["train.0"] = program{hang: true}
	w.programs["train.1"] = program{hang: true}
	for w.phase("train.1") != run.NodeRunning {
		w.step(nil)
		w.now = w.now.Add(time.Second)
	}
	w.cancel = &run.Order{Actor: "ann", Reason: "wrong data"}
	w.finish()
	if w.run.Outcome != run.Cancelled || !strings.Contains(w.run.Reason, "ann: wrong data") || w.started["end"] != 1 || w.published > 0 || len(w.containers) > 0 {
		t.Errorf("%s %q: %s, %v", w.run.Outcome, w.run.Reason, w.phases(), w.containers)
	}
	if w.phase("train.0") != run.NodeCancelled || w.phase("evaluate") != run.NodeCancelled || w.phase("split") != run.NodeSucceeded {
		t.Errorf("got %s", w.phases())
	}
}

func TestARunThatTakesTooLongFails(t *testing.T) {
	p := digits()
	p.Timeout = time.Minute
	w := newWorld(t, p, nil)
	w.programs["train.0"] = program{hang: true}
	w.finish()
	if w.run.Outcome != run.Failed || !strings.Contains(w.run.Reason, "1m0s") || w.phase("train.0") != run.NodeCancelled || w.started["end"] != 1 {
		t.Errorf("%s %q: %s", w.run.Outcome, w.run.Reason, w.phases())
	}
}

func TestPreparing(t *testing.T) {
	away := fmt.Errorf("registry: %w", reconcile.ErrUnavailable)
	for name, c := range map[string]struct {
		errs    []error
		outcome run.Outcome
	}{
		"passes by itself": {errs: []error{away, away, away}, outcome: run.Succeeded},
		"data is wrong":    {errs: []error{errors.New("dataset.digits has 3 rows")}, outcome: run.Failed},
		"stays away":       {errs: slices.Repeat([]error{away}, 2000), outcome: run.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, digits(), nil)
			w.prepareErr = c.errs
			w.finish()
			if w.run.Outcome != c.outcome {
				t.Errorf("%s %q", w.run.Outcome, w.run.Reason)
			}
			if c.outcome == run.Failed && w.phase("split") != run.NodeCancelled {
				t.Errorf("got %s", w.phases())
			}
		})
	}
}

func TestConditionsAndOrderWithoutData(t *testing.T) {
	p := digits()
	p.Gates, p.Publish, p.Selects = nil, nil, nil
	p.Steps = []*spec.Step{
		{Name: "a", Image: "a", Metrics: "m.json"},
		{Name: "b", Image: "b", After: []string{"a"}, When: expr.Expr{Op: expr.Gt, Args: []expr.Expr{ref("step", "a", "metrics", "accuracy"), expr.Of(0.99)}}, Outputs: []string{"o"}},
		{Name: "c", Image: "c", After: []string{"b"}},
		{Name: "d", Image: "d", Inputs: map[string]spec.Input{"x": {Kind: spec.InputStep, Name: "b", Output: "o"}}},
	}
	w := newWorld(t, p, nil)
	w.finish()
	for node, want := range map[string]run.NodePhase{"a": run.NodeSucceeded, "b": run.NodeSkipped, "c": run.NodeSucceeded, "d": run.NodeSkipped} {
		if w.phase(node) != want {
			t.Errorf("%s is %s, want %s: %s", node, w.phase(node), want, w.run.Nodes[node].Reason)
		}
	}
	if w.run.Outcome != run.Succeeded {
		t.Errorf("%s %s", w.run.Outcome, w.run.Reason)
	}
}

func TestParallelIsBounded(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		p := digits()
		p.Parallel = limit
		step(p, "train").Matrix[0].Values = []any{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}
		w := newWorld(t, p, nil)
		most := 0
		for w.run.Phase != run.Done {
			w.step(nil)
			most = max(most, w.run.Active())
			w.now = w.now.Add(time.Second)
		}
		want := limit
		if limit == 0 {
			want = w.slots
		}
		if most != want {
			t.Errorf("parallel = %d: %d at a time, want %d", limit, most, want)
		}
	}
}

func TestASearchIsRepeatableAndForgivesTrials(t *testing.T) {
	p := digits()
	s := step(p, "train")
	s.Matrix = nil
	s.Search = &spec.Search{Method: spec.SearchTPE, Trials: 12, Parallel: 3, Seed: 7, Metric: "accuracy", Space: []spec.Dimension{{Name: "hidden", Min: 1, Max: 100}}}
	w := newWorld(t, p, nil)
	w.programs["train.4"] = program{code: 1}
	w.finish()
	if w.run.Outcome != run.Succeeded || w.phase("train.4") != run.NodeFailed {
		t.Fatalf("%s %s: %s", w.run.Outcome, w.run.Reason, w.phases())
	}
	first := w.run
	again := digits()
	*step(again, "train") = *s
	w.begin(again, nil)
	delete(w.programs, "train.4")
	clear(w.started)
	w.finish()
	for i := range 4 {
		id := run.NodeID("train", i, true)
		if !maps.Equal(w.run.Nodes[id].Values, first.Nodes[id].Values) || w.run.Nodes[id].From == "" {
			t.Errorf("%s was %v and is %v, from %q", id, first.Nodes[id].Values, w.run.Nodes[id].Values, w.run.Nodes[id].From)
		}
	}
}

func TestResumeRunsWhatBrokeAndWhatItsChangeReaches(t *testing.T) {
	p := digits()
	step(p, "split").NoCache = true
	w := newWorld(t, p, nil)
	w.programs["evaluate"] = program{code: 1}
	w.finish()
	for name, c := range map[string]struct {
		params map[string]any
		want   []string
	}{
		"unchanged":   {want: []string{"end", "evaluate"}},
		"a parameter": {params: map[string]any{"share": 0.4}, want: []string{"end", "evaluate", "split", "train.0", "train.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := run.Resumed("p-2", w.run, c.params, w.now)
			if err != nil {
				t.Fatal(err)
			}
			next.Trigger.Resumes = w.run.ID
			again := *w
			again.run, again.started, again.programs = next, map[string]int{}, map[string]program{}
			again.finish()
			if got := slices.Sorted(maps.Keys(again.started)); !slices.Equal(got, c.want) || next.Outcome != run.Succeeded {
				t.Errorf("started %v, %s %s", got, next.Outcome, next.Reason)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	p := digits()
	p.Params = append(p.Params, spec.Param{Name: "must", Type: spec.ParamBool})
	for name, c := range map[string]struct {
		given map[string]any
		word  string
	}{
		"text is read":       {map[string]any{"must": "true", "share": "0.25"}, ""},
		"missing":            {nil, "needs the parameter must"},
		"unknown":            {map[string]any{"must": true, "shares": 1.0}, `no parameter "shares"; it has share, note, must`},
		"of another type":    {map[string]any{"must": "maybe"}, "is a bool"},
		"no number":          {map[string]any{"must": true, "share": "NaN"}, "is a number"},
		"no finite number":   {map[string]any{"must": true, "share": "Inf"}, "is a number"},
		"a list is no param": {map[string]any{"must": true, "note": []any{}}, "is a string"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := run.New("p-1", p, c.given, morning)
			switch {
			case c.word == "" && (err != nil || r.Params["share"] != 0.25 || r.Params["must"] != true):
				t.Errorf("got %v, %v", r, err)
			case c.word != "" && (err == nil || !strings.Contains(err.Error(), c.word)):
				t.Errorf("got %v, want %q", err, c.word)
			}
		})
	}
}

func TestMetricsAreNumbersOrNothing(t *testing.T) {
	for name, c := range map[string]struct{ data, word string }{
		"numbers":      {`{"accuracy": 0.5, "per_class": {"7": 1}}`, ""},
		"any letters":  {`{"accuracy": 0.5, "per_class.7": 1, "précision_Ⅻ/κ @1,+-:": 2}`, ""},
		"a line break": {`{"a\nb": 1}`, "the name of a metric"},
		"no name":      {`{"": 1}`, "the name of a metric"},
		"a long name":  {`{"` + strings.Repeat("é", 129) + `": 1}`, "the name of a metric"},
		"NaN":          {`{"accuracy": NaN}`, "NaN"},
		"infinity":     {`{"a": 1, "b": -Infinity}`, "-Infinity"},
		"too large":    {`{"a": 1e999}`, "a is 1e999"},
		"text":         {`{"a": "good"}`, "no number but a text"},
		"truth":        {`{"a": true}`, "write 1 or 0"},
		"null":         {`{"a": null}`, "leave out"},
		"list":         {`{"a": [1, 2]}`, "a list"},
		"not JSON":     {`accuracy: 0.5`, "JSON object of numbers"},
		"no object":    {`3`, "JSON object of numbers"},
		"null at all":  {`null`, "null"},
		"empty":        {``, "JSON object of numbers"},
		"two":          {`{"a": 1} {"a": 2}`, "more than one"},
		"nested deep":  {strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "nested"},
		"far too long": {`{"a": ` + strings.Repeat(" ", run.MaxMetrics) + "1}", "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := run.ParseMetrics([]byte(c.data))
			switch {
			case c.word == "" && (err != nil || got["accuracy"] != 0.5 || got["per_class.7"] != 1):
				t.Errorf("got %v, %v", got, err)
			case c.word != "" && (err == nil || !strings.Contains(err.Error(), c.word)):
				t.Errorf("got %v, want %q", err, c.word)
			}
		})
	}
}
