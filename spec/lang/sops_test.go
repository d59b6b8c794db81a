package lang

import (
	"reflect"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

const ageStanza = "-----BEGIN AGE ENCRYPTED FILE-----"

func TestSOPSFilesOfEveryFormatAreTaken(t *testing.T) {
	for path, c := range map[string]struct{ content, summary string }{
		"s.yaml":      {"a: ENC[x]\nsops:\n  age:\n    - enc: |\n        " + ageStanza + "\n", ""},
		"s.yml":       {"\"sops\" : {age: [{enc: \"" + ageStanza + "\"}]}\n", ""},
		"s.json":      {`{"a": "ENC[x]", "sops": {"age": [{"enc": "` + ageStanza + `"}]}}`, ""},
		"s.env":       {"A=ENC[x]\nsops_age__list_0__map_enc=" + ageStanza + "\nsops_mac=ENC[y]\n", ""},
		"s.bin":       {`{"data": "ENC[x]", "sops": {"age": [{"enc": "` + ageStanza + `"}]}}`, ""},
		"clear.yaml":  {"a: 1\nb:\n  sops: 2\n", "Secret in clear"},
		"clear.json":  {`{"a": {"sops": {}}}`, "Secret in clear"},
		"broken.json": {`{"sops": {`, "Secret in clear"},
		"text.json":   {`{"sops": "a"}`, "Secret in clear"},
		"clear.env":   {"SOPS_MAC=1\n", "Secret in clear"},
		"kms.yaml":    {"sops:\n  kms: []\n", "No age recipient"},
		"s.ini":       {"[sops]\n", "Invalid path"},
	} {
		t.Run(path, func(t *testing.T) {
			repo := tree{"a.hcl": "secret \"s\" {\n  sops = \"" + path + "\"\n  key = \"a\"\n}\n", path: c.content}
			cfg, diags := NewLoader().Load(repo, Options{})
			switch {
			case c.summary != "" && (len(diags) != 1 || diags[0].Summary != c.summary):
				t.Errorf("got %v", diags.Err())
			case c.summary == "" && diags.HasErrors():
				t.Error(diags.Err())
			case c.summary == "":
				want := &spec.SOPS{Path: path, Key: "a", Data: []byte(c.content)}
				if got := cfg.Secrets["s"].SOPS; !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}
