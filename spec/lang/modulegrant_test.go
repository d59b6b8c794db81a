package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// granting is a repo that includes another one, with a grant.
func granting(allow, src string) tree {
	return tree{
		"root.hcl":                    fmt.Sprintf("include \"a-b\" {\n  repo = \"https://example.com/a.git\"\n  allow = [%s]\n}\n", allow),
		spec.IncludeDir + "a-b/m.hcl": src,
	}
}

// What belongs to the host, or to others in a registry, an included repo has where the
// root shares it.
func TestWhatTheRootHasToAllow(t *testing.T) {
	const (
		model     = "model \"a_b_m\" {\n  image = \"m:1\"\n%s}\n"
		step      = "pipeline \"a_b_p\" {\n  step \"s\" {\n    image = \"m:1\"\n%s  }\n}\n"
		dataset   = "dataset \"a_b_d\" {\n  source = %q\n}\n"
		publishes = "model \"a_b_m\" {\n  image = \"m:1\"\n  version = \"1.0.0\"\n}\npipeline \"a_b_p\" {\n  step \"s\" {\n    image = \"m:1\"\n    outputs = [\"w\"]\n  }\n  publish {\n    model = model.a_b_m\n    artifact = step.s.w\n    registry = %q\n  }\n}\n"
		volume    = "  mount \"/d\" {\n    type = volume\n    source = \"root-data\"\n  }\n"
		bind      = "  mount \"/d\" {\n    type = bind\n    source = \"/srv/root\"\n  }\n"
		others    = "Registry outside of the prefix"
		noHost    = "Not in an included repo"
	)
	for name, c := range map[string]struct{ src, refused, grant string }{
		"a volume":                     {fmt.Sprintf(model, volume), noHost, "host"},
		"a directory":                  {fmt.Sprintf(model, bind), noHost, "host"},
		"a directory in an overlay":    {fmt.Sprintf(model, "") + "environment \"default\" {\n  model \"a_b_m\" {\n" + bind + "  }\n}\n", noHost, "host"},
		"memory":                       {fmt.Sprintf(model, "  mount \"/d\" {\n    type = tmpfs\n  }\n"), "", ""},
		"a device":                     {fmt.Sprintf(model, "  devices = [\"/dev/fuse\"]\n"), noHost, "host"},
		"a capability":                 {fmt.Sprintf(model, "  capabilities = [\"NET_ADMIN\"]\n"), noHost, "host"},
		"privileged":                   {fmt.Sprintf(model, "  privileged = 1 < 2\n"), noHost, "host"},
		"not privileged":               {fmt.Sprintf(model, "  privileged = false\n"), "", ""},
		"the host's network":           {fmt.Sprintf(model, "  network = host\n"), noHost, "host"},
		"a step with a directory":      {fmt.Sprintf(step, bind), noHost, "host"},
		"a step with a device":         {fmt.Sprintf(step, "  devices = [\"/dev/fuse\"]\n"), noHost, "host"},
		"a privileged step":            {fmt.Sprintf(step, "  privileged = true\n"), noHost, "host"},
		"data of a volume":             {fmt.Sprintf(dataset, "volume://root-data"), noHost, "host"},
		"data of a registry":           {fmt.Sprintf(dataset, "oci://example.com/data:1"), "", ""},
		"a local tag of others":        {fmt.Sprintf(dataset, "oci://local/digits:1.0.0"), "Name outside of the prefix", "none"},
		"a local tag of its own":       {fmt.Sprintf(dataset, "oci://local/a_b_m:1.0.0"), "", ""},
		"a local digest":               {fmt.Sprintf(dataset, "oci://local/digits@sha256:"+strings.Repeat("6c3c624b", 8)), "", ""},
		"publishing for the root":      {fmt.Sprintf(publishes, "oci://example.com/models/digits"), others, "publish"},
		"publishing for another":       {fmt.Sprintf(publishes, "oci://example.com/a-c/digits"), others, "publish"},
		"on a host of its name":        {fmt.Sprintf(publishes, "oci://a-b.example.com/digits"), others, "publish"},
		"over a local name of others":  {fmt.Sprintf(publishes, "oci://local/digits"), others, "publish"},
		"publishing below its name":    {fmt.Sprintf(publishes, "oci://example.com/acme/a-b/digits"), "", ""},
		"publishing under its name":    {fmt.Sprintf(publishes, "oci://example.com/acme/a_b"), "", ""},
		"publishing with its prefix":   {fmt.Sprintf(publishes, "oci://example.com/acme/a-b-digits"), "", ""},
		"publishing locally":           {fmt.Sprintf(publishes, "oci://local/a_b_m"), "", ""},
		"publishing where its default": {strings.Replace(publishes, "    registry = %q\n", "", 1), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLoader() // that goes on, so that what it has cached is asked anew
			for _, allow := range []string{"", "host", "publish", "host, publish", ""} {
				_, diags := l.Load(granting(allow, c.src), Options{})
				refused := c.refused != "" && (c.grant == "none" || !strings.Contains(allow, c.grant))
				if got := summaries(diags); slices.Contains(got, spec.IncludeDir+"a-b/m.hcl "+c.refused) != refused || diags.HasErrors() != refused {
					t.Errorf("with %q: got %q; want %q: %t", allow, got, c.refused, refused)
				}
			}
		})
	}
}

// Of a URL in an included repo nothing inside of the host's network is reached.
func TestDataOfAnIncludeIsPublic(t *testing.T) {
	l := NewLoader()
	for allow, public := range map[string]bool{"": true, "publish": true, "host": false} {
		cfg := mustLoad(t, l, granting(allow, "dataset \"a_b_d\" {\n  source = \"http://10.0.0.1/d.csv\"\n}\n"), Options{})
		if got := cfg.Datasets[0].Source.Public; got != public {
			t.Errorf("with %q: %t", allow, got)
		}
	}
	cfg := mustLoad(t, l, tree{"m.hcl": "dataset \"d\" {\n  source = \"http://10.0.0.1/d.csv\"\n}\n"}, Options{})
	if cfg.Datasets[0].Source.Public {
		t.Error("the root's is public")
	}
}

func TestTheRootNeedsNoGrant(t *testing.T) {
	_, diags := NewLoader().Load(tree{"m.hcl": "model \"m\" {\n  image = \"m:1\"\n  privileged = true\n  network = host\n  mount \"/d\" {\n    type = bind\n    source = \"/srv\"\n  }\n}\ndataset \"d\" {\n  source = \"volume://v\"\n}\n"}, Options{})
	if diags.HasErrors() {
		t.Error(diags.Err())
	}
}
