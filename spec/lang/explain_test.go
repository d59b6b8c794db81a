package lang

import (
	"fmt"
	"strings"
	"testing"
)

const explained = `
variable "registry" { default = "localhost:5000" }
variable "size" {
  type    = number
  default = 1
}
locals { team = "@vision" }
secret "token" { env = "TOKEN" }
model "digits" {
  image    = "${var.registry}/digits:1"
  owners   = [local.team]
  replicas = 2
  restart  = no
  env      = { A = "1", T = secret.token }
  health {
    interval = "2s"
  }
  route {
    path = "/a"
  }
  rollout {
    step {
      weight = 10
    }
    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
  }
}
model "each" {
  for_each = { eu = 1, us = 2 }
  image    = "e:${each.value}"
}
environment "prod" {
  locals { team = "@prod" }
  model "digits" {
    replicas = 4
    restart  = on_failure
    port     = null
    route {
      path = "/b"
    }
    rollout {
      check "errors" {
        max = 0.02
      }
    }
  }
  variable "registry" { default = "registry.example.com" }
}
`

// layersOf writes the layers of an explanation on one line; the one that wins
// carries a star.
func layersOf(x Explanation) string {
	var layers []string
	for _, l := range x.Layers {
		s := string(l.Kind)
		if l.Range != nil {
			s += fmt.Sprintf(":%d", l.Range.Start.Line)
		}
		s += " " + l.Value
		if l.Wins {
			s += " *"
		}
		layers = append(layers, s)
	}
	return strings.Join(layers, " | ")
}

func TestExplainPrintsEveryLayer(t *testing.T) {
	cases := map[string]string{
		"model.digits.replicas":                    `default 1 | block:12 2 | environment:38 4 *`,
		"model.digits.restart":                     `default unless_stopped | block:13 no | environment:39 on_failure *`,
		"model.digits.port":                        `default 8080 * | environment:40 null`,
		"model.digits.image":                       `block:10 "registry.example.com/digits:1" *`,
		"model.digits.owners":                      `block:11 ["@prod"] *`,
		"model.digits.env":                         `block:14 { "A" = "1", "T" = secret.token } *`,
		"model.digits.health.interval":             `default "1s" | block:16 "2s" *`,
		"model.digits.logs.max_files":              `default 3 *`,
		"model.digits.route[0].path":               `environment:42 "/b" *`,
		"model.digits.rollout.check.errors.max":    `block:27 0.01 | environment:46 0.02 *`,
		"model.digits.rollout.check.errors.metric": `block:26 error_ratio *`,
		"model.digits.rollout.step[0].weight":      `block:23 10 *`,
		`model.each["us"].image`:                   `block:33 "e:2" *`,
		"var.registry":                             `block:2 "localhost:5000" | environment:50 "registry.example.com" *`,
		"var.size":                                 `block:5 1 | given 3 *`,
		"local.team":                               `block:7 "@vision" | environment:36 "@prod" *`,
		"secret.token.env":                         `block:8 "TOKEN" *`,
	}
	o := Options{Environment: "prod", Variables: []VariableValue{{Name: "size", Value: "3", Source: "FAIRLEAD_VAR_size"}}}
	for path, want := range cases {
		t.Run(path, func(t *testing.T) {
			x, diags := NewLoader().Explain(tree{"a.hcl": explained}, o, path)
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			if got := layersOf(x); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if x.Address != path {
				t.Errorf("address %s", x.Address)
			}
		})
	}
}

func TestExplainOfAModelHasAllOfItsFields(t *testing.T) {
	x, diags := NewLoader().Explain(tree{"a.hcl": explained}, Options{Environment: "prod"}, "model.digits")
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	got := map[string]string{}
	for _, f := range x.Fields {
		got[f.Address] = f.Value
	}
	for address, value := range map[string]string{
		"model.digits.replicas": "4", "model.digits.resources.pids": "512", "model.digits.health.deadline": `"1m"`,
		"model.digits.rollout.step[0].weight": "10", "model.digits.route[0].path": `"/b"`, "model.digits.enabled": "true",
	} {
		if got[address] != value {
			t.Errorf("%s: got %q, want %q", address, got[address], value)
		}
	}
}

func TestExplainSaysWhatAnAddressLacks(t *testing.T) {
	for path, want := range map[string]string{
		"":                         "written as a reference",
		"digits":                   "written as a reference",
		"gadget.x":                 "nothing of the kind",
		"model.digit":              "Did you mean digits?",
		"model.digits.replica":     "Did you mean replicas?",
		"model.digits.route":       "model.digits.route[0]",
		"model.digits.route[4]":    "There is no model.digits.route[4] here",
		"model.each.image":         "name one instance",
		`model.each["uk"].image`:   "Did you mean us?",
		"var.registri":             "Did you mean registry?",
		"local.teem":               "Did you mean team?",
		strings.Repeat("a.", 4000): "written as a reference",
	} {
		_, diags := NewLoader().Explain(tree{"a.hcl": explained}, Options{Environment: "prod"}, path)
		if len(diags) != 1 || !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%.40q: got %v, want %q", path, diags, want)
		}
	}
}
