package reconcile_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// mostly draws a usual value nine times of ten, else a strange one, so that
// repos with one strange thing in them come up often, and good ones too.
func mostly(t *rapid.T, label string, usual, strange []string) string {
	if rapid.IntRange(0, 9).Draw(t, label+" is strange") != 5 {
		return rapid.SampledFrom(usual).Draw(t, label)
	}
	return rapid.SampledFrom(strange).Draw(t, label)
}

// drawRepo writes a few models whose routes, probes and names are at the edge of
// what is allowed. Values are literals or come by a variable, which no reader
// sees before it is evaluated.
func drawRepo(t *rapid.T) string {
	var out strings.Builder
	out.WriteString("variable \"nothing\" {\n  type    = string\n  default = \"\"\n}\n")
	for i, name := range []string{"a", "b", "c"} {
		fmt.Fprintf(&out, "model %q {\n  image = \"x:1\"\n", mostly(t, "name", []string{name}, []string{"a-b", "A", "a.b", strings.Repeat("n", 63), strings.Repeat("n", 64)}))
		out.WriteString(mostly(t, "head", []string{""}, []string{
			"  enabled = false\n", "  replicas = 0\n", "  port = 65535\n", "  port = 0\n", "  port = 65536\n", "  port = null\n", "  protocol = http\n",
			"  for_each = { b = 1 }\n", "  for_each = { \"b.c\" = 1 }\n", "  for_each = {}\n",
		}))
		fmt.Fprintf(&out, "  health {\n%s  }\n", mostly(t, "health", []string{"", "    path = \"/healthz\"\n"}, []string{
			"    path = \"\"\n", "    path = null\n", "    path = var.nothing\n", "    path = \"h\"\n", "    path = \"/a b\"\n", "    path = \"/%\"\n", "    path = \"/?x=%20\"\n",
			"    interval = \"0s\"\n", "    interval = \"100ms\"\n", "    timeout = \"0s\"\n", "    timeout = \"10ms\"\n", "    timeout = null\n    interval = \"0.1s\"\n", "    interval = \"-1s\"\n",
		}))
		for range rapid.IntRange(0, 2).Draw(t, "routes") {
			drawRoute(t, &out, i)
		}
		out.WriteString("}\n")
	}
	return out.String()
}

func drawRoute(t *rapid.T, out *strings.Builder, i int) {
	path := mostly(t, "path", []string{fmt.Sprintf(`"/%d"`, i), fmt.Sprintf(`"/%d/y"`, i)}, []string{
		`"/x"`, `"/x/y"`, `"/"`,
		`"/x/"`, `"/x//"`, `"//"`, `""`, `var.nothing`, `"x"`, `"/a%20b"`, `"/%78"`, `"/a b"`, `"/ä"`, `"/a/./b"`, `"/.."`, `"/x?"`, `"/x#y"`, `"/v2/models"`, `"/v2/models/"`, `"/X"`,
	})
	fmt.Fprintf(out, "  route {\n    path = %s\n", path)
	if host := mostly(t, "host", []string{"", `"x.example"`, fmt.Sprintf(`"h%d.example"`, i)}, []string{
		`""`, `null`, `var.nothing`, `"X.example"`, `"x.example."`, `"x.example:80"`, `"*.example"`, `"*"`, `"[::1]"`, `"10.0.0.1"`, `"x_y"`, `" x"`, `"x/y"`, `"x@y"`, `"ä.example"`, `"İ.example"`,
	}); host != "" {
		fmt.Fprintf(out, "    host = %s\n", host)
	}
	out.WriteString(mostly(t, "rest", []string{"", "    strip = true\n"}, []string{
		"    timeout = \"1ms\"\n", "    timeout = \"0s\"\n", "    timeout = \"-1s\"\n", "    timeout = null\n",
		"    fallback = model.a\n", "    fallback = model.b\n", "    fallback = model.c\n", "    fallback = model.a[\"b\"]\n", "    fallback = model.d\n",
	}))
	out.WriteString("  }\n")
}

// declared is the table that serves all of a Config.
func declared(cfg *spec.Config) reconcile.Table {
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1}
	for i, m := range cfg.Models {
		entry := reconcile.RoutedModel{Name: m.Name, Protocol: m.Protocol}
		for _, r := range m.Routes {
			entry.Routes = append(entry.Routes, reconcile.RoutedPath{Host: r.Host, Path: r.Path, Strip: r.Strip, Timeout: r.Timeout, Fallback: r.Fallback})
		}
		entry.Revisions = []reconcile.RoutedRevision{{
			Revision: "r1", Weight: 100,
			Health:   reconcile.HealthProbe{Path: m.Health.Path, Interval: m.Health.Interval, Timeout: m.Health.Timeout},
			Replicas: []reconcile.RoutedReplica{{ID: fmt.Sprintf("c%d", i), Address: net.JoinHostPort("10.0.0.1", strconv.Itoa(m.Port))}},
		}}
		table.Models = append(table.Models, entry)
	}
	return table
}

// One refused entry would hold up every change of the traffic, long after the
// commit was taken. So nothing may pass the language that the table refuses.
func TestWhateverTheLanguageTakesCanBeRouted(t *testing.T) {
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		repo := drawRepo(t)
		tree := spec.NewTree(spec.Commit{}, []spec.Content{{File: spec.File{Path: "a.hcl", Size: int64(len(repo))}, Data: []byte(repo)}})
		cfg, diags := lang.NewLoader().Load(tree, lang.Options{})
		if diags.HasErrors() {
			refused++
			return
		}
		taken++
		if err := declared(cfg).Validate(); err != nil {
			t.Fatalf("%v\n%s", err, repo)
		}
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d repos were taken and %d refused, so this showed nothing", taken, refused)
	}
	t.Logf("%d repos were taken, %d refused", taken, refused)
}
