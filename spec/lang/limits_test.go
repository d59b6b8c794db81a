package lang

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// most is how long a refusal may take. The bar is 100 ms; the race detector and
// a busy machine get room on top of it.
const most = 100 * time.Millisecond * slack

// bombs end a process that hands them to HCL's parser, or hold it up for
// minutes. Each is made twice: just below the size that one file may have, and
// large.
func bombs(size int) map[string]string {
	nested := func(open, inner, end string) string {
		n := max(1, (size-100)/(len(open)+len(end)))
		return "locals {\n  x = " + strings.Repeat(open, n) + inner + strings.Repeat(end, n) + "\n}\n"
	}
	unclosed := func(open string) string {
		return "locals {\n  x = " + strings.Repeat(open, size/len(open)-20) + "\n}\n"
	}
	row := func(part, end string) string {
		return "locals {\n  x = " + strings.Repeat(part, max(1, (size-100)/len(part))) + end + "\n}\n"
	}
	return map[string]string{
		"list":              nested("[", "1", "]"),
		"list, unclosed":    unclosed("["),
		"parentheses":       nested("(", "1", ")"),
		"braces":            nested("{a=", "1", "}"),
		"braces, unclosed":  unclosed("{"),
		"blocks":            strings.Repeat("a {\n", size/8) + strings.Repeat("}\n", size/8),
		"templates":         nested(`"${`, "1", `}"`),
		"not":               row("!", "true"),
		"minus":             row("-", "1"),
		"ternary":           row("true?1:", "1"),
		"ternary, nested":   row("true?", "1"),
		"plus":              row("1+", "1"),
		"plus over lines":   "locals {\n  x = (\n" + strings.Repeat("1 +\n", size/4-20) + "1)\n}\n",
		"heredoc":           "locals {\n  x = " + strings.Repeat("<<A\n${", size/6-20) + "\n}\n",
		"index":             row("a[", "1") + strings.Repeat("]", 10),
		"index in a row":    "locals {\n  x = a" + strings.Repeat("[0]", size/3-20) + "\n}\n",
		"attributes":        "locals {\n  x = a" + strings.Repeat(".b", size/2-20) + "\n}\n",
		"splat in a row":    "locals {\n  x = a" + strings.Repeat("[*]", size/3-20) + "\n}\n",
		"legacy index":      "locals {\n  x = a" + strings.Repeat(".0", size/2-20) + "\n}\n",
		"calls":             nested("f(", "1", ")"),
		"for":               nested("[for a in ", "[]", ": a]"),
		"directives":        "locals {\n  x = \"" + strings.Repeat("%{if true}", size/10-20) + "\"\n}\n",
		"directives of for": "locals {\n  x = <<A\n" + strings.Repeat("%{for a in b}", size/13-20) + "\nA\n}\n",
		"digits":            row("9", ""),
	}
}

func TestParserBombsAreRefusedAtOnce(t *testing.T) {
	for _, size := range []int{255 << 10, 2 << 20} {
		all := bombs(size)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			t.Run(fmt.Sprintf("%s of %d kB", name, size>>10), func(t *testing.T) {
				refused(t, tree{"bomb.hcl": all[name]}, size < 256<<10)
			})
		}
	}
}

// refused loads a hostile repo and checks that it is turned down fast, cheaply
// and with a place.
func refused(t *testing.T, repo tree, precise bool) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, busy := time.Now(), processorTime(t)
	_, diags := NewLoader().Load(repo, Options{})
	// On a machine that others use too, the time on the clock says little.
	took := min(time.Since(start), processorTime(t)-busy)
	runtime.ReadMemStats(&after)
	if took > most {
		t.Errorf("took %s", took)
	}
	// All that was allocated bounds what the process can have grown by. What is
	// evaluated up to its limit makes much that is dropped at once.
	bound := uint64(128)
	if precise {
		bound = 64
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > bound {
		t.Errorf("allocated %d MB", allocated)
	}
	if !diags.HasErrors() || diags[0].Subject == nil || diags[0].Subject.Start.Line == 0 {
		t.Fatalf("no error with a place: %v", diags)
	}
	if precise && diags[0].Summary != "Spec too complex" {
		t.Errorf("got %s: %s", diags[0].Summary, diags[0].Detail)
	}
}

// processorTime is what this process has computed so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestJSONBombsAreRefusedAtOnce(t *testing.T) {
	const size = 255 << 10
	all := map[string]string{
		"arrays":            strings.Repeat("[", size),
		"objects":           strings.Repeat(`{"a":`, size/5),
		"arrays in a value": `{"locals":{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`,
		"template":          `{"locals":{"x":"` + strings.Repeat("${[", 60_000) + `"}}`,
		"expression":        `{"moved":{"from":"` + strings.Repeat("[", 200_000) + `","to":"model.a"}}`,
		"operators":         `{"locals":{"x":"${` + strings.Repeat("1+", 100_000) + `1}"}}`,
		"directives":        `{"locals":{"x":"` + strings.Repeat("%{if true}", 20_000) + `"}}`,
		"digits":            `{"locals":{"x":` + strings.Repeat("9", 200_000) + `}}`,
		"exponent":          `{"locals":{"x":1e10000000}}`,
		"keys":              `{"locals":{"x":{"` + strings.Repeat("${{", 60_000) + `":1}}}`,
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { refused(t, tree{"bomb.hcl.json": all[name]}, true) })
	}
}

// TestEvaluationBombsAreRefusedAtOnce holds small sources that make much.
func TestEvaluationBombsAreRefusedAtOnce(t *testing.T) {
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	doubling := "locals {\n  a0 = [\"lol\", \"lol\"]\n"
	for i := range 40 {
		doubling += fmt.Sprintf("  a%d = [local.a%d, local.a%d]\n", i+1, i, i)
	}
	text := "locals {\n  t0 = \"0123456789\"\n"
	for i := range 30 {
		text += fmt.Sprintf("  t%d = \"${local.t%d}${local.t%d}\"\n", i+1, i, i)
	}
	chain := "locals {\n"
	for i := range 4000 {
		chain += fmt.Sprintf("  c%d = local.c%d\n", i, i+1)
	}
	nest := "locals {\n  n0 = []\n"
	for i := range 200 {
		nest += fmt.Sprintf("  n%03d = [local.n%s]\n", i+1, map[bool]string{true: "0", false: fmt.Sprintf("%03d", i)}[i == 0])
	}
	big := "locals {\n  b0 = \"" + strings.Repeat("x", 200_000) + "\"\n"
	all := map[string]string{
		"seven for":                "locals {\n  x = [for a in local.l : [for b in local.l : [for c in local.l : [for d in local.l : [for e in local.l : [for f in local.l : [for g in local.l : g]]]]]]]\n  l = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n}\n",
		"two for over many":        "locals {\n  l = " + list(5000) + "\n  x = [for a in local.l : [for b in local.l : b]]\n}\n",
		"for in for by locals":     "locals {\n  l = " + list(100) + "\n  x = [for a in local.l : [for b in local.l : local.l]]\n  y = [for a in local.x : [for b in local.x : local.x]]\n}\n",
		"template of a number":     "locals {\n  x = \"a${1e10000000}b\"\n}\n",
		"number of many digits":    "locals {\n  x = 1e1000000\n}\n",
		"small number":             "locals {\n  x = \"${1e-10000000}\"\n}\n",
		"power":                    "locals {\n  x = \"${pow(10, 100000)}\"\n}\n",
		"product of numbers":       "locals {\n  n = 1e300\n  x = \"${local.n * local.n * local.n * local.n * local.n}\"\n}\n",
		"lists doubled":            doubling + "}\n",
		"json of lists doubled":    doubling + "  z = jsonencode(local.a40)\n}\n",
		"text doubled":             text + "}\n",
		"long list":                "locals {\n  x = " + list(20_000) + "\n}\n",
		"setproduct":               "locals {\n  l = " + list(3000) + "\n  x = setproduct(local.l, local.l, local.l)\n}\n",
		"range":                    "locals {\n  x = range(0, 100000000)\n}\n",
		"format width":             "locals {\n  x = format(\"%999999999d\", 1)\n}\n",
		"indent":                   "locals {\n  x = indent(999999999, \"a\\nb\")\n}\n",
		"replace":                  big + "  x = replace(local.b0, \"x\", local.b0)\n}\n",
		"join":                     big + "  l = " + list(9000) + "\n  x = join(local.b0, [for a in local.l : \"a\"])\n}\n",
		"text in a row":            big + "  x = \"" + strings.Repeat("${local.b0}", 3000) + "\"\n}\n",
		"text in a call":           big + "  x = join(\"\", [" + strings.Repeat("local.b0,", 3000) + "])\n}\n",
		"for over text":            big + "  l = " + list(9000) + "\n  x = [for a in local.l : \"${local.b0}${a}\"]\n}\n",
		"directive over text":      big + "  l = " + list(9000) + "\n  x = \"%{for a in local.l}${local.b0}%{endfor}\"\n}\n",
		"chain of references":      chain + "  c4000 = 1\n}\n",
		"lists nested by locals":   nest + "}\n",
		"json nested":              "locals {\n  x = jsondecode(join(\"\", [for a in range(1000) : join(\"\", [for b in range(100) : \"[\"])]))\n}\n",
		"json nested, from a file": "locals {\n  x = jsondecode(file(\"deep.json\"))\n}\n",
		"swallowed by try":         "locals {\n  l = " + list(5000) + "\n  x = try([for a in local.l : [for b in local.l : b]], 1)\n}\n",
		"too many instances":       "locals {\n  k = [for i in range(1000) : [for j in range(9) : \"k${i}-${j}\"]]\n}\n" + instances(80),
		"splat":                    "locals {\n  l = [for a in range(1000) : [for b in range(9) : b]]\n  x = [for a in local.l : local.l[*][*]]\n}\n",
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			repo := tree{"bomb.hcl": all[name], "deep.json": strings.Repeat("[", 500_000)}
			if name == "too many instances" {
				_, diags := NewLoader().Load(repo, Options{Limits: Limits{LoadSteps: 1_000_000}})
				if !diags.HasErrors() {
					t.Error("loaded")
				}
				return
			}
			refused(t, repo, false)
		})
	}
}

func instances(blocks int) string {
	var s strings.Builder
	for i := range blocks {
		fmt.Fprintf(&s, "model \"m%d\" {\n  for_each = toset(flatten(local.k))\n  image = \"m:1\"\n}\n", i)
	}
	return s.String()
}

func TestOrdinarySpecsStayWithinTheLimits(t *testing.T) {
	src := "locals {\n  owners = {\n"
	for i := range 500 {
		src += fmt.Sprintf("    m%d = { team = \"@a\", weight = %d }\n", i, i)
	}
	src += "  }\n  teams = distinct([for name, m in local.owners : m.team])\n  text = join(\",\", [for name, m in local.owners : \"${name}=${m.weight}\"])\n}\n"
	src += "model \"m\" {\n  for_each = { for name, m in local.owners : name => m if m.weight < 300 }\n  image = \"m:${each.value.weight}\"\n}\n"
	if cfg := mustLoad(t, NewLoader(), tree{"a.hcl": src}, Options{}); len(cfg.Models) != 300 {
		t.Errorf("got %d models", len(cfg.Models))
	}
}

func TestLimitsOfTheRepoHold(t *testing.T) {
	repo := tree{"a.hcl": strings.Repeat("# comment\n", 100), "b.hcl": strings.Repeat("# comment\n", 100)}
	_, diags := NewLoader().Load(repo, Options{Limits: Limits{RepoBytes: 1500}})
	if len(diags) != 1 || diags[0].Summary != "Config repo too large" || diags[0].Subject.Filename != "b.hcl" {
		t.Errorf("got %v", diags)
	}
	_, diags = NewLoader().Load(repo, Options{Limits: Limits{FileBytes: 500}})
	if len(diags) != 2 || diags[0].Summary != "Spec file too large" {
		t.Errorf("got %v", diags)
	}
	if _, diags = NewLoader().Load(tree{"a.hcl": "x = \"\xff\""}, Options{}); len(diags) != 1 || diags[0].Summary != "Spec file is not text" {
		t.Errorf("got %v", diags)
	}
}
