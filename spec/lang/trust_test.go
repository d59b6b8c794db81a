package lang

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

const (
	annKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99/GSMUd7JbeiGW9btwtzJ"
	benKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKczBEzkW2cYyqjyd21xbT7FIR7e8kF1EJFp565J90sh"
)

func TestTrustIsDecodedExactly(t *testing.T) {
	const src = `trust {
  mode  = head
  since = "0123456789012345678901234567890123456789"
  signer "web" {
    ssh  = ["` + benKey + ` web", ""]
    role = forge
  }
  signer "ann" {
    login       = "ann-k"
    ssh         = ["` + annKey + `"]
    valid_from  = "2026-01-01"
    valid_until = "2026-12-31T12:00:00+02:00"
  }
  group "vision" {
    members = ["ben", "ann-k", "ben"]
  }
  review "owned" {
    owners = true
  }
  review "models" {
    paths     = ["models/**"]
    approvals = 1
    from      = ["@vision"]
  }
}
`
	repo := tree{"a.hcl": strings.Replace(src, `, ""]`, "]", 1)}
	got := mustLoad(t, NewLoader(), repo, Options{}).Trust
	at := func(line, column int) spec.Pos { return spec.Pos{File: "a.hcl", Line: line, Column: column} }
	want := &spec.Trust{
		Pos: at(1, 1), Mode: spec.TrustHead, Since: "0123456789012345678901234567890123456789",
		Signers: []spec.Signer{
			{
				Name: "ann", Pos: at(8, 3), Login: "ann-k", SSH: []string{annKey}, Role: spec.SignerPerson,
				ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2026, 12, 31, 10, 0, 0, 0, time.UTC),
			},
			{Name: "web", Pos: at(4, 3), SSH: []string{benKey + " web"}, Role: spec.SignerForge},
		},
		Groups: []spec.Group{{Name: "vision", Members: []string{"ben", "ann-k"}, Pos: at(14, 3)}},
		Reviews: []spec.ReviewRule{
			{Name: "models", Pos: at(20, 3), Paths: []string{"models/**"}, Approvals: 1, From: []string{"@vision"}},
			{Name: "owned", Pos: at(17, 3), Owners: true},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
	inFile, diags := ParseTrust([]byte(repo["a.hcl"]), "a.hcl")
	if diags.HasErrors() || !reflect.DeepEqual(inFile, want) {
		t.Errorf("the operator's file: %v, %s", diags.Err(), asJSON(t, inFile))
	}
}

func TestTheOperatorsFileHoldsOneTrustAndNothingElse(t *testing.T) {
	const signer = "signer \"ann\" {\n  ssh = [\"" + annKey + "\"]\n}\n"
	for name, c := range map[string]struct{ src, summary string }{
		"the body alone":             {"mode = every\n" + signer, ""},
		"the body, blocks first":     {signer + "mode = head\n", ""},
		"a block around it":          {"trust {\nmode = every\n" + signer + "}\n", ""},
		"armour in a heredoc":        {"mode = every\nsigner \"ann\" {\n  gpg = [<<EOT\n" + armourBegin + "\n\nmDME\n" + armourEnd + "\nEOT\n  ]\n}\n", ""},
		"nothing":                    {"", "Missing argument"},
		"two":                        {"trust {\nmode = off\n}\ntrust {\nmode = off\n}\n", "Duplicate block"},
		"a model":                    {"trust {\nmode = off\n}\nmodel \"a\" {\n}\n", "Unknown block"},
		"a model alone":              {"model \"a\" {\n}\n", "Unknown block"},
		"file()":                     {"mode = head\nsigner \"ann\" {\n  ssh = [file(\"ann.pub\")]\n}\n", "Unknown function"},
		"a variable":                 {"mode = head\nsigner \"ann\" {\n  ssh = [var.ann]\n}\n", "Reference not allowed"},
		"the environment":            {"mode = head\nsince = env.name\n" + signer, "Reference not allowed"},
		"a broken block":             {"trust {\n", "Unclosed configuration block"},
		"no signers":                 {"mode = every\n", "Nobody may sign"},
		"a bomb":                     {"mode = " + strings.Repeat("[", 100_000), "Spec too complex"},
		"no text":                    {"mode = \"\xff\"", "Spec file is not text"},
		"a private key in its place": {"mode = head\nsigner \"a\" {\n  ssh = [\"-----BEGIN OPENSSH PRIVATE KEY-----\"]\n}\n", "Private key in the repo"},
	} {
		t.Run(name, func(t *testing.T) {
			trust, diags := ParseTrust([]byte(c.src), "trust.hcl")
			switch {
			case c.summary == "" && (trust == nil || diags.HasErrors() || len(trust.Signers) != 1):
				t.Errorf("got %v, %v", trust, diags.Err())
			case c.summary != "" && (trust != nil || len(diags) == 0 || diags[0].Summary != c.summary):
				t.Errorf("got %v, %v", trust, diags.Err())
			}
		})
	}
	if trust, diags := ParseTrust([]byte(`{"trust": {"mode": "off"}}`), "trust.hcl.json"); trust != nil || !diags.HasErrors() {
		t.Error("JSON was taken")
	}
}

// A key that should never have come into the repo is in no message, and in no line
// that a message shows.
func TestNoDiagnosticShowsAPrivateKey(t *testing.T) {
	const canary = "b3BlbnNzaC1rZXktdjEAAAAA"
	for _, src := range []string{
		"trust {\n  mode = head\n  signer \"a\" {\n    ssh = [\"-----BEGIN OPENSSH PRIVATE KEY-----\\n" + canary + "\"]\n  }\n}\n",
		"trust {\n  mode = head\n  signer \"a\" { ssh = [\"-----BEGIN RSA PRIVATE KEY-----\\n" + canary + "\"] }\n}\n",
		"trust {\n  mode = head\n  signer \"a\" {\n    gpg = [<<EOT\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n" + canary + "\nEOT\n    ]\n  }\n}\n",
		"trust {\n  mode = head\n  signer \"a\" {\n    ssh = [file(\"key\")]\n  }\n}\n",
	} {
		repo := tree{"a.hcl": src, "key": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + canary + "\n"}
		_, diags := NewLoader().Load(repo, Options{})
		if !diags.HasErrors() || strings.Contains(text(t, diags, repo), canary) {
			t.Errorf("got\n%s", text(t, diags, repo))
		}
		_, diags = ParseTrust([]byte(src), "a.hcl")
		var out bytes.Buffer
		if err := diag.WriteText(&out, diags, func(string) []byte { return []byte(src) }, diag.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("got\n%s", out.String())
		}
	}
}

func TestExplainTrust(t *testing.T) {
	repo := tree{"a.hcl": "trust {\n  mode = head\n  signer \"ann\" {\n    ssh = [\"" + annKey + "\"]\n  }\n}\n"}
	for path, want := range map[string]string{"trust.mode": "head", "trust.signer.ann.role": "person"} {
		x, diags := NewLoader().Explain(repo, Options{}, path)
		if diags.HasErrors() || x.Value != want {
			t.Errorf("%s: got %q, %v", path, x.Value, diags.Err())
		}
	}
	if x, diags := NewLoader().Explain(repo, Options{}, "trust"); diags.HasErrors() || len(x.Fields) != 4 {
		t.Errorf("got %+v, %v", x, diags.Err())
	}
}

// The operator's file may be anything, and so may a key in a repo.
func FuzzTrust(f *testing.F) {
	f.Add([]byte("mode = every\nsigner \"ann\" {\n  ssh = [\"" + annKey + "\"]\n}\n"))
	f.Add([]byte("trust {\n  mode = off\n  review \"a\" {\n    paths = [\"a/**\", \"[\"]\n    approvals = 1\n    from = [\"@a\"]\n  }\n}\n"))
	f.Add([]byte("mode = head\nsigner \"a\" {\n  gpg = [<<EOT\n" + armourBegin + "\n" + armourEnd + "\nEOT\n  ]\n  revoked = \"2026-01-01\"\n}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		trust, diags := ParseTrust(src, "trust.hcl")
		if (trust == nil) != diags.HasErrors() {
			t.Errorf("trust %v with %v", trust, diags)
		}
		for _, d := range diags {
			if d.Summary == "" || d.Detail == "" {
				t.Errorf("no words: %+v", d)
			}
		}
		_ = sshKeyProblem(string(src))
	})
}
