package lang

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

// twin writes a native spec as the JSON that means the same.
func twin(t fataler, src string) string {
	t.Helper()
	parsed, diags := hclsyntax.ParseConfig([]byte(src), "a.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("parse: %v\n%s", diags, src)
	}
	body, _ := parsed.Body.(*hclsyntax.Body)
	out, err := json.MarshalIndent(twinBody([]byte(src), body, schema.Root()), "", "  ")
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(out)
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func twinBody(src []byte, body *hclsyntax.Body, b *schema.Block) map[string]any {
	out := map[string]any{}
	for name, a := range body.Attributes {
		literal := false
		if def := b.Argument(name); def != nil {
			literal = def.Type.Literal() || (def.Type == schema.GPUs || def.Type == schema.Bump) && hcl.ExprAsKeyword(a.Expr) != ""
		}
		out[name] = twinValue(src, a.Expr, literal)
	}
	for _, block := range body.Blocks {
		inner := twinBody(src, block.Body, b.Block(block.Type))
		if len(block.Labels) == 0 {
			list, _ := out[block.Type].([]any)
			out[block.Type] = append(list, inner)
			continue
		}
		// One object per block, so that blocks keep their order.
		list, _ := out[block.Type].([]any)
		out[block.Type] = append(list, map[string]any{block.Labels[0]: inner})
	}
	return out
}

func twinValue(src []byte, expr hclsyntax.Expression, literal bool) any {
	text := string(expr.Range().SliceBytes(src))
	if list, isList := expr.(*hclsyntax.TupleConsExpr); isList {
		items := []any{}
		for _, item := range list.Exprs {
			items = append(items, twinValue(src, item, literal))
		}
		return items
	}
	if literal {
		return text
	}
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		switch {
		case e.Val.IsNull():
			return nil
		case e.Val.Type() == cty.Bool:
			return e.Val.True()
		default:
			return json.Number(text)
		}
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			v, _ := e.Value(nil)
			return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(v.AsString())
		}
	case *hclsyntax.ObjectConsExpr:
		object := map[string]any{}
		for _, item := range e.Items {
			key, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() {
				return "${" + text + "}"
			}
			object[key.AsString()] = twinValue(src, item.ValueExpr, false)
		}
		return object
	}
	return "${" + text + "}"
}

// withoutPlaces is a Config as text, without the positions, which differ between
// twins.
func withoutPlaces(t fataler, cfg *spec.Config) string {
	t.Helper()
	out, err := json.Marshal(cfg)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("decode: %v", err)
	}
	var drop func(v any)
	drop = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "Pos")
			delete(v, "pos")
			for _, inner := range v {
				drop(inner)
			}
		case []any:
			for _, inner := range v {
				drop(inner)
			}
		}
	}
	drop(v)
	out, err = json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(out)
}

func all(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile("testdata/all.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func data(files tree) tree {
	files["data/digits.csv"] = "2"
	files["data/lfs.csv"] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\n"
	files["data/card.md"] = "---\nlanguage: en\nmodel-index:\n  - results: [0.9]\n---\n# Digits\n"
	files["data/ann.asc"] = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEaSA\n-----END PGP PUBLIC KEY BLOCK-----\n"
	files["data/sops.yaml"] = "db:\n    password: ENC[AES256_GCM,data:x,type:str]\nsops:\n    age:\n        - enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n"
	files["data/note.age"] = "YWdlLWVuY3J5cHRpb24="
	files["data/jwks.json"] = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "lVrT5Pt1z5GCJEHEY8uhcOlxL5SDrT2LP-FBVX04VdY"}]}`
	files["warmup/digits.json"] = `{"inputs": []}`
	return files
}

func TestNativeAndJSONTwinsLoadEqual(t *testing.T) {
	for name, src := range map[string]string{"sample": sample, "all": all(t), "explained": explained} {
		for _, environment := range []string{"prod", "staging"} {
			if environment == "staging" && name != "all" {
				continue
			}
			t.Run(name+" in "+environment, func(t *testing.T) {
				o := Options{Environment: environment, Version: "0.1.0"}
				native := mustLoad(t, NewLoader(), data(tree{"a.hcl": src}), o)
				twin := mustLoad(t, NewLoader(), data(tree{"a.hcl.json": twin(t, src)}), o)
				if got, want := withoutPlaces(t, twin), withoutPlaces(t, native); got != want {
					t.Errorf("the JSON twin differs:\ngot  %s\nwant %s", got, want)
				}
			})
		}
	}
}

func TestEveryArgumentOfTheSchemaIsInTheBigExample(t *testing.T) {
	l := NewLoader()
	o := Options{Environment: "prod", Version: "0.1.0"}
	mustLoad(t, l, data(tree{"a.hcl": all(t)}), o)
	seen := map[*schema.Argument]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		for _, a := range n.args {
			seen[a.schema] = true
		}
		for _, b := range n.blocks {
			visit(b)
		}
	}
	visit(l.files["a.hcl"].root)
	var check func(b *schema.Block)
	check = func(b *schema.Block) {
		for _, a := range b.Arguments {
			if !seen[a] {
				t.Errorf("%s.%s is not in testdata/all.hcl, so nothing proves that it is decoded", b.Name, a.Name)
			}
		}
		for _, n := range b.Blocks {
			check(n)
		}
	}
	check(l.root)
}

// drawModel writes a random model that may or may not be right.
func drawModel(t *rapid.T, name string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "model %q {\n  image = \"%s:${var.tag}\"\n", name, name)
	pick := func(label string, lines ...string) {
		if line := rapid.SampledFrom(append(lines, "")).Draw(t, label); line != "" {
			s.WriteString("  " + line + "\n")
		}
	}
	pick("replicas", "replicas = 3", "replicas = var.n + 1", `replicas = "2"`, "replicas = null", "replicas = 2 > 1 ? 4 : 5")
	pick("protocol", "protocol = http", "protocol = open_inference", `protocol = "http"`)
	pick("version", `version = "1.10"`, "version = 1.10", "version = var.tag")
	pick("env", `env = { A = "x$${y}", B = secret.s, C = local.c }`, "env = { for k in [\"A\", \"B\"] : k => lower(k) }", `env = { "a b" = "1" }`)
	pick("owners", `owners = ["@a", local.c]`, `owners = "@a"`, `owners = [upper("x")]`)
	pick("for_each", "for_each = toset([\"x\", \"y\"])", "for_each = { x = 1 }", `for_each = ["x"]`)
	pick("health", "health {\n    path = \"/h\"\n    interval = \"2s\"\n  }", "health {\n    interval = 2\n  }")
	pick("route", "route {\n    path = \"/"+name+"\"\n    fallback = model.a\n  }", "route {\n    path = \"/x\"\n  }", "route {\n    path = \"/p/${each.key}\"\n  }",
		"route {\n    path = \"/p/${each.key}\"\n    limit {\n      rate = var.n\n    }\n    auth {\n      api_keys = [secret.s]\n    }\n  }",
		"route {\n    path = \"/e/"+name+"\"\n    auth {\n      api_keys = [local.c, secret.s]\n      jwt {\n        issuer = local.c\n        audience = upper(local.c)\n        keys = \"{}\"\n      }\n    }\n  }")
	pick("metrics", "metrics {\n    port = var.n\n    interval = \"10s\"\n  }", "metrics {\n    path = local.c\n  }")
	pick("resources", "resources {\n    gpus = all\n    ulimit \"nofile\" {\n      soft = 10\n    }\n  }", "resources {\n    memory = \"1Gi\"\n  }", "resources {\n    gpus = 2\n  }")
	pick("rollout", "rollout {\n    step {\n      weight = 10\n      checks = [check.e]\n    }\n    check \"e\" {\n      metric = error_ratio\n      max = 0.1\n    }\n  }", "rollout {\n    strategy = shadow\n    mirror {\n      percent = 10\n    }\n  }", "rollout {\n    sticky {\n      cookie = \"c\"\n    }\n  }")
	s.WriteString("}\n")
	return s.String()
}

func TestRandomTwinsLoadEqual(t *testing.T) {
	const common = "variable \"tag\" { default = \"1\" }\nvariable \"n\" { default = 2 }\nlocals { c = \"${var.tag}-c\" }\nsecret \"s\" { env = \"S\" }\nenvironment \"prod\" {\n  model \"a\" { replicas = 7 }\n}\n"
	rapid.Check(t, func(t *rapid.T) {
		src := common + drawModel(t, "a") + drawModel(t, "b")
		native, nativeDiags := NewLoader().Load(tree{"a.hcl": src}, Options{Environment: "prod"})
		twins, twinDiags := NewLoader().Load(tree{"a.hcl.json": twin(t, src)}, Options{Environment: "prod"})
		if native != nil && twins != nil {
			if got, want := withoutPlaces(t, twins), withoutPlaces(t, native); got != want {
				t.Fatalf("the JSON twin differs:\n%s\ngot  %s\nwant %s", src, got, want)
			}
			return
		}
		// Keywords and references in quotes are right in JSON, so a native
		// mistake of that kind has no twin.
		if strings.Contains(src, `protocol = "http"`) {
			return
		}
		if (native == nil) != (twins == nil) || len(nativeDiags) != len(twinDiags) {
			t.Fatalf("the twins fail differently:\n%s\nnative: %v\nJSON:   %v", src, nativeDiags.Err(), twinDiags.Err())
		}
	})
}

// drawPipeline writes a random pipeline that is right, or, if sloppy, may not be.
func drawPipeline(t *rapid.T) string {
	var s strings.Builder
	sloppy := rapid.Bool().Draw(t, "sloppy")
	varied := rapid.Bool().Draw(t, "varied")
	// Lines with a ! may be mistakes.
	pick := func(label, indent string, lines ...string) {
		var usable []string
		for _, line := range lines {
			line, risky := strings.CutPrefix(line, "!")
			if sloppy || !risky {
				usable = append(usable, line)
			}
		}
		if line := rapid.SampledFrom(usable).Draw(t, label); line != "" {
			s.WriteString(indent + line + "\n")
		}
	}
	one := func(ifVaried, ifNot string) string {
		if varied {
			return ifVaried
		}
		return ifNot
	}
	s.WriteString("dataset \"d\" {\n")
	pick("source", "  ", `source = "volume://${var.tag}"`, `source = "oci://localhost/d:${local.c}"`, `!source = "nowhere"`, "!")
	pick("expect", "  ", "", "expect \"rows\" {\n    min = var.n\n  }", "expect \"column\" {\n    name = local.c\n    type = integer\n  }\n  expect \"column\" {\n    name = \"y\"\n  }", "!expect \"column\" {\n    type = text\n  }")
	s.WriteString("}\npipeline \"p\" {\n")
	pick("on", "  ", "", "on = [change, dataset.d]", "on = [drift]", "!on = [dataset.x]", "on = []")
	pick("param", "  ", "param \"x\" {\n    default = var.n\n  }", "!param \"x\" {\n    type = bool\n    default = \"a\"\n  }", "!")
	s.WriteString("  step \"a\" {\n    image = \"a:${var.tag}\"\n    outputs = [\"m\", local.c]\n    metrics = \"m.json\"\n")
	pick("inputs", "    ", "", "inputs = { d = dataset.d }", "!inputs = { \"d\" = step.b.m }", "!inputs = { d = dataset.d.x }", "inputs = {}")
	pick("env", "    ", "", "env = { A = param.x, B = \"x-${param.x}-${local.c}\", C = secret.s, D = \"\\\"q\\\"\" }", "env = merge({ A = 1 }, { B = upper(local.c), C = lower(param.x) })", "!env = { A = 1.5 }", "!env = { A = run.outcome }", "env = { (local.c) = !param.x }")
	pick("command", "    ", "", "command = [\"a\", param.x, var.n]", "command = concat([local.c], [\"--x=${param.x * 2}\"])", "!command = param.x", "command = [for k in [1, 2] : tostring(k)]", "command = []")
	if varied {
		pick("matrix", "    ", "matrix = { h = [1, 5, var.n], k = [\"a\"] }", "search {\n      trials = var.n\n      minimize = \"acc\"\n      dimension \"h\" {\n        values = [local.c, true]\n      }\n    }", "!matrix = { h = range(300) }")
	}
	pick("when", "    ", "", "when = param.x == \"${local.c}\"", "when = var.n > 1", "when = !(param.x && true) || can(live.m.version)", "when = alltrue([param.x, var.n == 2])", "!when = [1]", "when = null", one("when = matrix.h == 1", "!when = matrix.h == 1"))
	pick("retry", "    ", "", "retries = 2\n    retry_on = [exit, oom]", "!retry_on = [exit]", "retries = var.n")
	s.WriteString("  }\n  step \"b\" {\n    image = \"b:1\"\n    outputs = [\"m\"]\n")
	pick("b inputs", "    ", "inputs = { m = step.a.m }", one("inputs = { m = select.best.m }", "!inputs = { m = select.best.m }"), "after = [step.a]", "")
	s.WriteString("  }\n")
	pick("select", "  ", one("select \"best\" {\n    of = step.a\n    maximize = \"acc\"\n  }", ""), one("!", "!select \"best\" {\n    of = step.a\n    maximize = \"acc\"\n  }"))
	pick("gate", "  ", one("!", "")+"gate \"g\" {\n    require = step.a.metrics.acc >= try(live.m.metrics[local.c], 0) - 0.5\n    level = soft\n  }", one("", "!")+"gate \"g\" {\n    require = select.best.metrics[\"acc\"] > var.n ? true : false\n  }", "gate \"g\" {\n    require = dataset.d.rows > 3 && model.m.owners[0] == \"x\"\n  }", "")
	pick("publish", "  ", "publish {\n    model = model.m\n    artifact = step.b.m\n    version = minor\n  }", one("", "!")+"publish {\n    model = model.m\n    artifact = select.best.m\n    version = \"1.${select.best.values.h}.0\"\n    metrics = select.best\n  }", "!publish {\n    model = model.m\n    artifact = step.a.m\n    version = var.tag\n  }", "")
	s.WriteString("}\npolicy \"q\" {\n  for = model\n")
	pick("require", "  ", "require = length(model.owners) > var.n", "require = contains(model.owners, local.c) && env.name == \"prod\"", "!require = model.nam == \"x\"", "!")
	s.WriteString("}\n")
	return s.String()
}

func TestRandomTwinsOfPipelinesLoadEqual(t *testing.T) {
	const common = "variable \"tag\" { default = \"1\" }\nvariable \"n\" { default = 2 }\nlocals { c = \"k${var.tag}\" }\nsecret \"s\" { env = \"S\" }\nmodel \"m\" {\n  image = \"m:1\"\n}\nenvironment \"prod\" {\n}\n"
	loaded := 0
	rapid.Check(t, func(t *rapid.T) {
		src := common + drawPipeline(t)
		native, nativeDiags := NewLoader().Load(tree{"a.hcl": src}, Options{Environment: "prod"})
		twins, twinDiags := NewLoader().Load(tree{"a.hcl.json": twin(t, src)}, Options{Environment: "prod"})
		if native != nil && twins != nil {
			loaded++
			if got, want := withoutPlaces(t, twins), withoutPlaces(t, native); got != want {
				t.Fatalf("the JSON twin differs:\n%s\ngot  %s\nwant %s", src, got, want)
			}
			return
		}
		if (native == nil) != (twins == nil) || len(nativeDiags) != len(twinDiags) {
			t.Fatalf("the twins fail differently:\n%s\nnative: %v\nJSON:   %v", src, nativeDiags.Err(), twinDiags.Err())
		}
	})
	t.Logf("%d pairs were right", loaded)
}
