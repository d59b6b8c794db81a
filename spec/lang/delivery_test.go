package lang

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

const delivery = `
secret "partner_key" { env = "PARTNER_KEY" }
model "digits" {
  image = "digits:1"
  port  = 9000
  signature {
    input "pixels" {
      datatype = FP32
      shape    = [-1, 64]
    }
    output "label" {
      datatype = BYTES
      shape    = [-1]
    }
    output "digit" {
      datatype = INT64
      shape    = [-1]
    }
  }
  metrics {}
  route {
    path = "/digits"
    limit {
      rate = 12.5
    }
    auth {
      api_keys = [secret.partner_key]
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = file("data/jwks.json")
      }
    }
  }
  rollout {
    strategy = shadow
    check "answers" {
      metric = shadow_agreement
      min    = 0.99
    }
    check "scores" {
      metric = score_shift
      max    = 0.1
    }
  }
}
environment "plain" {}
environment "prod" {
  model "digits" {
    metrics {
      port     = 9090
      interval = "15s"
    }
    rollout {
      mirror {
        percent = 10
      }
    }
  }
}
environment "canary" {
  model "digits" {
    metrics {
      path = "/stats"
    }
    route {
      path = "/digits"
      limit {
        concurrency = 3
      }
    }
    rollout {
      strategy = canary
      sticky {
        cookie = "side"
      }
      check "answers" {
        metric = latency_p99
        min    = null
        max    = 0.5
      }
    }
  }
}
`

func TestDeliveryBlocksHaveTheirDefaults(t *testing.T) {
	repo := data(tree{"a.hcl": delivery})
	m := mustLoad(t, NewLoader(), repo, Options{Environment: "plain"}).Model("digits")
	if want := (&spec.Scrape{Path: "/metrics", Port: 9000, Interval: 5 * time.Second}); !reflect.DeepEqual(m.Metrics, want) {
		t.Errorf("metrics: got %+v", m.Metrics)
	}
	route := m.Routes[0]
	if want := (&spec.RouteLimit{Rate: 12.5, Burst: 13}); !reflect.DeepEqual(route.Limit, want) {
		t.Errorf("limit: got %+v", route.Limit)
	}
	if want := (&spec.RouteAuth{
		APIKeys: []string{"partner_key"},
		JWT:     &spec.JWT{Issuer: "https://login.example.com", Audience: "models", Keys: []byte(strings.ReplaceAll(repo["data/jwks.json"], " ", ""))},
	}); !reflect.DeepEqual(route.Auth, want) {
		t.Errorf("auth: got %+v", route.Auth)
	}
	r := m.Rollout
	if want := (&spec.Mirror{Percent: 100, Tolerance: 0.001}); !reflect.DeepEqual(r.Mirror, want) {
		t.Errorf("mirror: got %+v", r.Mirror)
	}
	if r.Sticky != nil || r.Steps != nil {
		t.Errorf("what is not written: got %+v, %+v", r.Sticky, r.Steps)
	}
	if got := r.Checks[1].Output; got != "digit" {
		t.Errorf("the first numeric output: got %q", got)
	}
}

func TestOverlaysMergeDeliveryBlocks(t *testing.T) {
	repo := data(tree{"a.hcl": delivery})
	prod := mustLoad(t, NewLoader(), repo, Options{Environment: "prod"}).Model("digits")
	if want := (&spec.Scrape{Path: "/metrics", Port: 9090, Interval: 15 * time.Second}); !reflect.DeepEqual(prod.Metrics, want) {
		t.Errorf("metrics: got %+v", prod.Metrics)
	}
	if want := (&spec.Mirror{Percent: 10, Tolerance: 0.001}); !reflect.DeepEqual(prod.Rollout.Mirror, want) {
		t.Errorf("mirror: got %+v", prod.Rollout.Mirror)
	}
	canary := mustLoad(t, NewLoader(), repo, Options{Environment: "canary"}).Model("digits")
	if want := (&spec.Scrape{Path: "/stats", Port: 9000, Interval: 5 * time.Second}); !reflect.DeepEqual(canary.Metrics, want) {
		t.Errorf("metrics: got %+v", canary.Metrics)
	}
	if r := canary.Routes[0]; len(canary.Routes) != 1 || r.Auth != nil || !reflect.DeepEqual(r.Limit, &spec.RouteLimit{Concurrency: 3}) {
		t.Errorf("a list of routes replaces: got %+v", canary.Routes)
	}
	r := canary.Rollout
	if r.Mirror != nil || !reflect.DeepEqual(r.Sticky, &spec.Sticky{Cookie: "side"}) || r.Checks[0].Metric != spec.LatencyP99 || r.Checks[0].Min != nil {
		t.Errorf("another strategy: got %+v", r)
	}
}

func TestEachStrategyCanGoWithoutSteps(t *testing.T) {
	for strategy, more := range map[string]string{
		"canary": "", "blue_green": "", "shadow": "", "recreate": "",
		"ab": "match {\n      header = \"X-Tester\"\n      value  = \"yes\"\n    }",
	} {
		src := "model \"a\" {\n  image = \"a:1\"\n  rollout {\n    strategy = " + strategy + "\n    " + more + "\n  }\n}\n"
		r := mustLoad(t, NewLoader(), tree{"a.hcl": src}, Options{}).Model("a").Rollout
		if string(r.Strategy) != strategy || r.Steps != nil {
			t.Errorf("%s: got %+v", strategy, r)
		}
	}
}

func TestStepsWithoutChecksAreNotThoseWithAll(t *testing.T) {
	const src = "model \"a\" {\n  image = \"a:1\"\n  rollout {\n    step {\n      weight = 5\n      checks = []\n    }\n    step {\n      weight = 50\n    }\n" +
		"    check \"x\" {\n      metric = restarts\n      max = 0\n    }\n  }\n}\n"
	steps := mustLoad(t, NewLoader(), tree{"a.hcl": src}, Options{}).Model("a").Rollout.Steps
	if steps[0].Checks == nil || len(steps[0].Checks) != 0 || steps[1].Checks != nil {
		t.Errorf("got %#v", steps)
	}
}

func TestKeysOfRoutesComeFromAnyExpression(t *testing.T) {
	const head = "secret \"a\" { env = \"A\" }\nsecret \"b\" {\n  for_each = toset([\"x\", \"y\"])\n  env = \"B_${each.key}\"\n}\nlocals {\n  keys = [secret.a]\n}\n"
	for expr, want := range map[string][]string{
		"local.keys":                              {"a"},
		`concat(local.keys, [secret.b["x"]])`:     {"a", "b-x"},
		`[for k in ["x", "y"] : secret.b[k]]`:     {"b-x", "b-y"},
		`[for k, s in secret.b : s if k == "y"]`:  {"b-y"},
		`env.name == "default" ? [secret.a] : []`: {"a"},
	} {
		src := head + "model \"m\" {\n  image = \"m:1\"\n  route {\n    path = \"/m\"\n    auth {\n      api_keys = " + expr + "\n    }\n  }\n}\n"
		for name, repo := range map[string]tree{"native": {"a.hcl": src}, "JSON": {"a.hcl.json": twin(t, src)}} {
			m := mustLoad(t, NewLoader(), repo, Options{}).Model("m")
			if got := m.Routes[0].Auth.APIKeys; !slices.Equal(got, want) {
				t.Errorf("%s in %s: got %q, want %q", expr, name, got, want)
			}
		}
	}
}

// TestNoMistakeOpensARoute: whatever is wrong with an auth block, the route is
// not loaded without it.
func TestNoMistakeOpensARoute(t *testing.T) {
	for _, auth := range []string{
		"auth {}", "auth {\n api_keys = null\n}", "auth {\n api_keys = []\n}", "auth {\n api_keys = [null]\n}", "auth {\n api_keys = {}\n}",
		"auth {\n api_keys = toset([])\n}", "auth {\n api_keys = \"\"\n}", "auth {\n api_keys = [\"\"]\n}", "auth {\n api_keys = [for s in [secret.k] : s if false]\n}",
		"auth {\n jwt {}\n}", "auth {\n jwt {\n issuer = \"i\"\n audience = \"a\"\n keys = null\n}\n}", "auth {\n api_keys = [secret.k]\n jwt {}\n}",
		"auth {\n jwt {\n issuer = null\n audience = \"a\"\n keys = file(\"data/jwks.json\")\n}\n}",
	} {
		repo := data(tree{"a.hcl": "secret \"k\" { env = \"K\" }\nmodel \"m\" {\n image = \"m:1\"\n route {\n path = \"/m\"\n" + auth + "\n}\n}\n"})
		if cfg, diags := NewLoader().Load(repo, Options{}); cfg != nil || !diags.HasErrors() {
			t.Errorf("loaded with %s: %+v", auth, cfg.Models[0].Routes[0].Auth)
		}
	}
}

func TestExplainGoesIntoDeliveryBlocks(t *testing.T) {
	for path, want := range map[string]string{
		"model.digits.metrics.port":                   `default  | environment:51 9090 *`,
		"model.digits.metrics.interval":               `default "5s" | environment:52 "15s" *`,
		"model.digits.rollout.mirror.percent":         `default 100 | environment:56 10 *`,
		"model.digits.rollout.mirror.tolerance":       `default 0.001 *`,
		"model.digits.route[0].limit.rate":            `default  | block:24 12.5 *`,
		"model.digits.route[0].auth.api_keys":         `block:27 [secret.partner_key] *`,
		"model.digits.route[0].auth.jwt.audience":     `block:30 "models" *`,
		"model.digits.rollout.check.scores.output":    `default  *`,
		"model.digits.rollout.check.answers.metric":   `block:38 shadow_agreement *`,
		"model.digits.rollout.check.answers.interval": `default "1m" *`,
	} {
		x, diags := NewLoader().Explain(data(tree{"a.hcl": delivery}), Options{Environment: "prod"}, path)
		if got := layersOf(x); diags.HasErrors() || got != want {
			t.Errorf("%s:\ngot  %s\nwant %s\n%v", path, got, want, diags)
		}
	}
}

// TestExamplesOfTheReferenceLoad puts each example of the table where it belongs
// and loads it: what people copy must work.
func TestExamplesOfTheReferenceLoad(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "REFERENCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]string{
		"model.metrics": "%", "model.route": "%", "model.rollout": "%",
		"model.route.limit": "route {\n path = \"/x\"\n%\n}", "model.route.auth": "route {\n path = \"/x\"\n%\n}", "model.route.auth.jwt": "route {\n path = \"/x\"\n auth {\n%\n}\n}",
		"model.rollout.step": "rollout {\n%\n}", "model.rollout.check": "rollout {\n%\n}", "model.rollout.match": "rollout {\n strategy = ab\n%\n}",
		"model.rollout.sticky": "rollout {\n%\n}", "model.rollout.mirror": "rollout {\n strategy = shadow\n%\n}",
	}
	for _, part := range strings.Split(string(page), "\n##")[1:] {
		title, body, _ := strings.Cut(strings.TrimLeft(part, "#"), "\n")
		around, known := in[strings.TrimSpace(title)]
		if !known {
			continue
		}
		delete(in, strings.TrimSpace(title))
		_, example, _ := strings.Cut(body, "```hcl\n")
		example, _, found := strings.Cut(example, "```")
		if !found {
			t.Errorf("%s has no example", title)
			continue
		}
		files := data(tree{"a.hcl": "secret \"partner_key\" { env = \"K\" }\nmodel \"m\" {\n image = \"m:1\"\n" + strings.Replace(around, "%", example, 1) + "\n}\n"})
		files["jwks.json"] = files["data/jwks.json"]
		mustLoad(t, NewLoader(), files, Options{})
	}
	for title := range in {
		t.Errorf("no %s in the reference", title)
	}
}
