package lang

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/diag"
)

// TestNoDiagnosticShowsAValueFromOutside plants a value that looks like a secret
// in a variable and lets everything fail that can fail with it.
func TestNoDiagnosticShowsAValueFromOutside(t *testing.T) {
	const canary = "hunter2-canary-Zx81"
	uses := []string{
		"x = parseint(var.s, 10)", "x = var.s + 1", "x = [1][var.s]", "x = { a = 1 }[var.s]", "x = jsondecode(var.s)",
		"x = tonumber(var.s)", "x = file(var.s)", "x = file(\"../${var.s}\")", "x = lookup({ a = 1 }, var.s)", "x = regex(\"[0-9]{30}\", var.s)",
		"x = regex(\"(${var.s}\", \"a\")", "x = format(var.s, 1)", "x = format(\"%d\", var.s)", "x = index([], var.s)", "x = local.y[var.s]\n  y = []",
		"x = csvdecode(\"a,a\\n${var.s}\")", "x = tobool(var.s)", "x = [for k in [1, 2] : k][var.s]", "x = { for k in [1, 2] : var.s => k }", "x = var.s.y",
		"x = setproduct(var.s)", "x = range(var.s)", "x = var.s ? 1 : 2", "x = !var.s", "x = -var.s", "x = substr(var.s, 100, var.s)", "x = model.m[var.s].image",
	}
	arguments := []string{
		"image = var.s\n  port = var.s", "image = \"m:${var.s}!\"", "image = \"m:1\"\n  stop_timeout = var.s", "image = \"m:1\"\n  env = { (var.s) = [] }",
		"image = \"m:1\"\n  for_each = toset([upper(var.s)])", "image = \"m:1\"\n  secrets = { a = var.s }", "image = \"m:1\"\n  route {\n    path = var.s\n  }",
		"image = \"m:1\"\n  resources {\n    memory = var.s\n    gpus = var.s\n  }", "image = \"m:1\"\n  capabilities = [var.s]", "image = \"m:1\"\n  devices = [var.s]",
		"image = \"m:1\"\n  metrics {\n    path = var.s\n    interval = var.s\n  }",
		"image = \"m:1\"\n  route {\n    path = \"/a\"\n    limit {\n      rate = var.s\n    }\n    auth {\n      api_keys = [var.s]\n      jwt {\n        issuer = \"i\"\n        audience = \"a\"\n        keys = var.s\n      }\n    }\n  }",
		"image = \"m:1\"\n  route {\n    path = \"/a\"\n    auth {\n      jwt {\n        issuer = \"i\"\n        audience = \"a\"\n        keys = jsonencode({ keys = [{ kty = var.s, d = var.s }] })\n      }\n    }\n  }",
		"image = \"m:1\"\n  rollout {\n    sticky {\n      header = \"${var.s}:\"\n    }\n    check \"c\" {\n      metric = error_ratio\n      max = var.s\n    }\n  }",
		"image = \"m:1\"\n  warmup {\n    request = var.s\n  }", "image = \"m:1\"\n  rollout {\n    check \"c\" {\n      query = \"$${var.s}\"\n    }\n  }",
	}
	var specs []string
	for _, use := range uses {
		specs = append(specs, "locals {\n  "+use+"\n}\nmodel \"m\" {\n  for_each = { a = 1 }\n  image = \"m:1\"\n}\n")
	}
	for _, argument := range arguments {
		specs = append(specs, "model \"m\" {\n  "+argument+"\n}\n")
	}
	steps := func(arguments string) string {
		return "pipeline \"p\" {\n  step \"a\" {\n    image = \"a:1\"\n    " + arguments + "\n  }\n}\n"
	}
	specs = append(specs,
		"dataset \"d\" {\n  source = var.s\n}\n", "dataset \"d\" {\n  source = \"${var.s}://x\"\n}\n", "dataset \"d\" {\n  source = \"https://${var.s}@x/\"\n  digest = var.s\n  collected = var.s\n  license = \"${var.s} x\"\n  labels = { a = [var.s] }\n}\n",
		"dataset \"d\" {\n  source = \"volume://x\"\n  expect \"column\" {\n    name = \"c\"\n    min = var.s\n    pattern = \"(${var.s}\"\n  }\n}\n",
		"model \"m\" {\n  image = \"m:1\"\n  artifact = \"oci://local/${var.s}\"\n  artifact_path = var.s\n  card = var.s\n  license = \"${var.s} x\"\n}\n",
		steps("env = { (var.s) = param.x }"), steps("env = { A = param.x + var.s }"), steps("command = [jsondecode(var.s), run.pipeline]"), steps("when = regex(\"(${var.s}\", run.pipeline)"),
		steps("when = run.pipeline[var.s]"), steps("when = \"${var.s}\""), steps("matrix = { (var.s) = [1] }"), steps("matrix = { a = var.s }"), steps("outputs = [\"a ${var.s}\"]\n    metrics = \"/${var.s}\""),
		steps("env = merge(var.s, { A = run.id })"), steps("command = concat([var.s, null], [run.id])"), steps("when = var.s ? run.id : run.pipeline"),
		"pipeline \"p\" {\n  param \"x\" {\n    type = number\n    default = var.s\n  }\n  schedule {\n    cron = var.s\n    zone = var.s\n  }\n  step \"a\" {\n    image = \"a:1\"\n    outputs = [\"m\"]\n  }\n  publish {\n    model = model.m\n    artifact = step.a.m\n    registry = \"oci://${var.s}\"\n    version = var.s\n  }\n}\nmodel \"m\" {\n  image = \"m:1\"\n}\n",
		"policy \"p\" {\n  for = model\n  require = model.name == var.s.x\n}\n",
		"trust {\n  mode = head\n  since = var.s\n  signer \"a\" {\n    login = \"${var.s} x\"\n    ssh = [var.s, \"ssh-ed25519 ${var.s}\", \"${var.s} AAAA\", \"-----BEGIN PRIVATE KEY-----${var.s}\"]\n    gpg = [var.s]\n    revoked = var.s\n  }\n  group \"g\" {\n    members = [\"@${var.s}\"]\n  }\n  review \"r\" {\n    paths = [\"/${var.s}\", \"[${var.s}\"]\n    from = [var.s]\n    approvals = var.s\n  }\n}\n",
		"approval \"a\" {\n  revision = var.s\n  step = var.s\n}\n", "model \"m\" {\n  image = \"m:1\"\n  update {\n    range = \"${var.s} x y\"\n    interval = var.s\n  }\n}\n", "model \"m\" {\n  image = \"m:1\"\n  update {\n    tag = \"${var.s} x\"\n  }\n}\n",
		"promote \"x\" {\n  from = environment.y\n  after = var.s\n  require = [var.s, from.hours > var.s.x]\n}\n", "promote \"x\" {\n  from = environment.y\n  require = [regex(\"(${var.s}\", from.version)]\n}\n",
		"notifier \"n\" {\n  kind = email\n  url = var.s\n  from = \"${var.s} <\"\n  to = [\"${var.s} <\"]\n  token = var.s\n  title = \"{{ ${var.s}\"\n  text = \"{{ .X${var.s} }}\"\n}\n",
		"notifier \"n\" {\n  kind = webhook\n  url = \"https://u:${var.s}@x/\"\n  text = \"{{ range .Owners }}{{ ${var.s} }}\"\n  signing_key = var.s\n}\n", "notifier \"n\" {\n  kind = webhook\n  url = \"http://%zz${var.s}/\"\n  title = \"{{ .Title | x${upper(var.s)} }}\"\n  text = \"{{ template \\\"${var.s}\\\" \"\n}\n",
		"secret \"x\" {\n  sops = var.s\n  key = \"..${var.s}\"\n}\n", "include \"i\" {\n  repo = \"https://u:${var.s}@x/y\"\n  path = \"../${var.s}\"\n  ref = \"-${var.s}\"\n  prefix = var.s\n  token = var.s\n}\n",
		"include \"i\" {\n  repo = \"http://%zz${var.s}/y\"\n}\n", "include \"i\" {\n  repo = \"https://example.com/${lower(var.s)}\"\n}\n",
	)
	specs = append(specs, "variable \"n\" { type = number }\n", "variable \"n\" { type = list(string) }\n")
	for i, src := range specs {
		for _, value := range []string{canary, "{" + canary, "${" + canary} {
			repo := tree{"a.hcl": "variable \"s\" { type = string }\n" + src}
			if !strings.Contains(src, `variable "n"`) {
				repo["b.hcl"] = "variable \"n\" { type = string }\n"
			}
			o := Options{Variables: []VariableValue{{Name: "s", Value: value, Source: "FAIRLEAD_VAR_s"}, {Name: "n", Value: value, Source: "FAIRLEAD_VAR_n"}}}
			_, diags := NewLoader().Load(repo, o)
			report, err := json.Marshal(diag.Report(diags, Sources(repo)))
			if err != nil {
				t.Fatal(err)
			}
			all := text(t, diags, repo) + string(report) + fmt.Sprint(diags.Err())
			if strings.Contains(strings.ToLower(all), strings.ToLower(canary)) {
				t.Errorf("spec %d shows the value:\n%s\n%s", i, src, all)
			}
		}
	}
}

// TestSecretsAreNamesOnly checks that a secret cannot become anything but the
// name of a secret, whatever an expression does with it.
func TestSecretsAreNamesOnly(t *testing.T) {
	for _, use := range []string{
		`description = "${secret.s}"`, `description = secret.s`, `description = jsonencode({ a = secret.s })`, `description = tostring(secret.s)`,
		`owners = [secret.s]`, `command = [secret.s]`, `env = { A = "${secret.s}x" }`, `env = { A = upper(secret.s) }`, `port = secret.s`,
		`for_each = toset([secret.s])`, `for_each = { (secret.s) = 1 }`, `description = format("%s", secret.s)`,
		`metrics { path = secret.s }`,
		`description = secret.s.name`, `description = [for k, v in secret.s : v][0]`, `enabled = secret.s`,
	} {
		t.Run(use, func(t *testing.T) {
			repo := tree{"a.hcl": "secret \"s\" { env = \"S\" }\nmodel \"m\" {\n  image = \"m:1\"\n  " + use + "\n}\n"}
			cfg, diags := NewLoader().Load(repo, Options{})
			if !diags.HasErrors() {
				t.Errorf("loaded: %+v", cfg.Models)
			}
		})
	}
	for _, use := range []string{
		`env = { A = [secret.s] }`, `env = { (secret.s) = param.x }`, `env = { A = upper(secret.s), B = param.x }`, `command = [secret.s]`, `command = [secret.s, param.x]`,
		`command = ["a-${secret.s}-${param.x}"]`, `when = secret.s == param.x`, `matrix = { a = [secret.s] }`, `env = { A = param.x ? secret.s : "" }`, `env = { A = try(secret.s, param.x) }`,
		`env = { A = param.x[secret.s] }`, `outputs = [secret.s]`, `user = secret.s`,
	} {
		t.Run(use, func(t *testing.T) {
			repo := tree{"a.hcl": "secret \"s\" { env = \"S\" }\npipeline \"p\" {\n  param \"x\" {}\n  step \"a\" {\n    image = \"a:1\"\n    " + use + "\n  }\n}\n"}
			cfg, diags := NewLoader().Load(repo, Options{})
			if !diags.HasErrors() {
				t.Errorf("loaded: %+v", cfg.Pipelines[0].Steps[0])
			}
		})
	}
	repo := tree{"a.hcl": "secret \"s\" { env = \"S\" }\nlocals {\n  common = { A = secret.s, B = \"b\" }\n}\nmodel \"m\" {\n  image = \"m:1\"\n  env = merge(local.common, { C = \"c\" })\n}\n"}
	m := mustLoad(t, NewLoader(), repo, Options{}).Model("m")
	if got := m.Container.Env["A"]; got.Secret != "s" || got.Value != "" {
		t.Errorf("got %+v", got)
	}
}
