package edit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec/lang/edit"
)

func TestABlockIsSetBackAndNothingElse(t *testing.T) {
	then := tree{
		"a.hcl": "# of then\nmodel \"other\" {\n  image = \"o:1\"\n}\n\nmodel \"digits\" {\n  image = \"d:1\" # good\n  env   = { A = \"1\" }\n}\n",
		"p.hcl": "environment \"prod\" {\n  model \"digits\" {\n    replicas = 2\n  }\n}\n",
	}
	now := tree{
		"moved.hcl": "# of now\nmodel \"other\" {\n  image = \"o:2\"\n}\n\nmodel \"digits\" {\n  image = \"d:2\"\n  env   = { A = \"2\", B = \"3\" }\n}\n# end\n",
		"p.hcl":     "environment \"prod\" {\n  model \"digits\" {\n    replicas = 3\n  }\n  model \"other\" {\n    replicas = 9\n  }\n}\n",
	}
	files, err := edit.Restore(now, then, digitsModel, "prod")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"moved.hcl": "# of now\nmodel \"other\" {\n  image = \"o:2\"\n}\n\nmodel \"digits\" {\n  image = \"d:1\" # good\n  env   = { A = \"1\" }\n}\n# end\n",
		"p.hcl":     "environment \"prod\" {\n  model \"digits\" {\n    replicas = 2\n  }\n  model \"other\" {\n    replicas = 9\n  }\n}\n",
	}
	for path, text := range want {
		if string(files[path]) != text {
			t.Errorf("%s is\n%s\nwant\n%s", path, files[path], text)
		}
	}
	if len(files) != len(want) {
		t.Errorf("%d files are edited; want %d", len(files), len(want))
	}
	if files, err := edit.Restore(then, then, digitsModel, "prod"); err != nil || len(files) != 0 {
		t.Errorf("nothing differs: %v, %v", files, err)
	}
}

func TestWhatCannotBeSetBackByItself(t *testing.T) {
	one := tree{"a.hcl": "model \"digits\" {\n  image = \"d:1\"\n}\n"}
	with := func(more string) tree { return tree{"a.hcl": one["a.hcl"], "b.hcl": more} }
	overlay := "environment \"prod\" {\n  model \"digits\" {\n    replicas = 2\n  }\n}\n"
	for name, c := range map[string]struct {
		now, then tree
		word      string
	}{
		"an overlay came":         {with(overlay), one, "it had no block for the environment"},
		"an overlay went":         {one, with(overlay), "its block for the environment is gone"},
		"it is of many instances": {tree{"a.hcl": "model \"digits\" {\n  for_each = toset([\"a\"])\n  image = \"d:1\"\n}\n"}, one, "several instances"},
		"it is JSON":              {tree{"a.hcl.json": `{"model": {"digits": {"image": "d:2"}}}`}, tree{"a.hcl.json": `{"model": {"digits": {"image": "d:1"}}}`}, "own syntax"},
		"it was not there":        {one, tree{}, "as it was"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := edit.Restore(c.now, c.then, digitsModel, "prod")
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("got %v, %v; want an error with %q", files, err, c.word)
			}
			if _, byHand := errors.AsType[*edit.ByHandError](err); !byHand && name != "it was not there" {
				t.Errorf("%v is nothing to be done by hand", err)
			}
		})
	}
}
