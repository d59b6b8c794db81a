package edit_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

const writtenApproval = `# Merging this lets the rollout pass the step. It counts for this one revision.
approval "digits" {
  revision = "4f2a90b1c2d3"
  step     = 2
}
`

func TestApprovalIsWrittenIntoTheFileOfItsModel(t *testing.T) {
	approval := spec.Approval{Model: "digits", Revision: "4f2a90b1c2d3", Step: 2}
	inProd := approval
	inProd.Environment = "prod"
	block := writtenApproval[strings.Index(writtenApproval, "approval"):]
	prodBlock := strings.Replace(strings.Replace(strings.Replace(block, "revision ", "revision    ", 1), "step    ", "step       ", 1), "2\n}", "2\n  environment = environment.prod\n}", 1)
	older := strings.Replace(strings.Replace(block, "= 2", "= 1", 1), "4f2a", "0000", 1)
	for name, c := range map[string]struct {
		repo     tree
		approval spec.Approval
		want     string // "": nothing is to be written
	}{
		"the first":                      {tree{}, approval, writtenApproval},
		"in the place of an older one":   {tree{"approvals/digits.hcl": "# Ours.\n" + older + "# End.\n"}, approval, "# Ours.\n" + block + "# End.\n"},
		"beside one of an environment":   {tree{"approvals/digits.hcl": prodBlock}, approval, prodBlock + "\n" + block},
		"for an environment":             {tree{"approvals/digits.hcl": block + "\n" + strings.Replace(prodBlock, "4f2a", "0000", 1)}, inProd, block + "\n" + prodBlock},
		"beside what people wrote":       {tree{"approvals/digits.hcl": "model \"x\" {}"}, approval, "model \"x\" {}\n\n" + block},
		"there already":                  {tree{"approvals/digits.hcl": block}, approval, ""},
		"there already, elsewhere":       {tree{"mine.hcl": block}, approval, ""},
		"there already, in JSON":         {tree{"mine.hcl.json": `{"approval": {"digits": {"revision": "4f2a90b1c2d3", "step": 2}}}`}, approval, ""},
		"there for an environment, JSON": {tree{"mine.hcl.json": `{"approval": {"digits": {"revision": "4f2a90b1c2d3", "step": 2, "environment": "environment.prod"}}}`}, inProd, ""},
		"there for another environment":  {tree{"mine.hcl.json": `{"approval": {"digits": {"revision": "4f2a90b1c2d3", "step": 2, "environment": "environment.prod"}}}`}, approval, writtenApproval},
		"of another rollout elsewhere":   {tree{"mine.hcl": strings.Replace(block, "2\n}", "2\n  started  = \"2026-11-21T14:00:03Z\"\n}", 1)}, approval, writtenApproval},
		"of another step elsewhere":      {tree{"mine.hcl": older}, approval, writtenApproval},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := edit.WriteApproval(c.repo, c.approval)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(files["approvals/digits.hcl"]); got != c.want || len(files) > 1 {
				t.Fatalf("got\n%s\nwant\n%s", got, c.want)
			}
			if c.want == "" {
				return
			}
			c.repo["approvals/digits.hcl"] = c.want
			if again, err := edit.WriteApproval(c.repo, c.approval); err != nil || len(again) != 0 {
				t.Errorf("a second time: %v, %v", again, err)
			}
		})
	}
}

func TestWrittenApprovalLoads(t *testing.T) {
	repo := tree{"a.hcl": "model \"digits\" {\n  image = \"digits:1\"\n}\nenvironment \"prod\" {}\n"}
	for _, a := range []spec.Approval{
		{Model: "digits", Revision: "4f2a90b1c2d3", Step: 1, Environment: "prod"},
		{Model: "digits", Revision: "4f2a90b1c2d3", Step: 2, Environment: "prod"},
		{Model: "digits", Revision: "4f2a90b1c2d3", Step: 2, Started: "2026-11-21T14:00:03.25Z", Environment: "prod"},
	} {
		files, err := edit.WriteApproval(repo, a)
		if err != nil {
			t.Fatal(err)
		}
		for path, content := range files {
			repo[path] = string(content)
		}
		got := mustLoad(t, repo, "prod").Approvals
		if len(got) != 1 {
			t.Fatalf("got %d approvals", len(got))
		}
		read := *got[0]
		read.Pos = spec.Pos{}
		if read != a {
			t.Errorf("got %+v, want %+v", read, a)
		}
	}
}

func TestApprovalThatCannotBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		repo tree
		a    spec.Approval
	}{
		"no model":       {tree{}, spec.Approval{Model: "../x", Revision: "4f2a90b1c2d3", Step: 1}},
		"no step":        {tree{}, spec.Approval{Model: "digits", Revision: "4f2a90b1c2d3"}},
		"no revision":    {tree{}, spec.Approval{Model: "digits", Step: 1}},
		"a broken file":  {tree{"approvals/digits.hcl": "model {"}, spec.Approval{Model: "digits", Revision: "4f2a90b1c2d3", Step: 1}},
		"a broken other": {tree{"x.hcl": "approval \"digits\" {"}, spec.Approval{Model: "digits", Revision: "4f2a90b1c2d3", Step: 1}},
	} {
		if files, err := edit.WriteApproval(c.repo, c.a); err == nil {
			t.Errorf("%s: got %v", name, files)
		}
	}
}

func TestModelOfAnIncludeIsChangedInItsOwnRepo(t *testing.T) {
	repo := tree{".fairlead/include/team-a/m.hcl": "model \"digits\" {\n  version = \"1\"\n}\n"}
	_, err := edit.Apply(repo, []edit.Change{set("version", "1.2.0")})
	if err == nil || !strings.Contains(err.Error(), "included repo team-a") {
		t.Errorf("got %v", err)
	}
}
