package schema

import "slices"

// first is the version that brought what is in the table so far.
const first = "0.1"

// Root is the file level: a block without name, label or arguments whose nested
// blocks are those that a person writes at the left margin.
func Root() *Block {
	trust := trustBlock()
	root := &Block{
		Since: first,
		Doc:   "A config repo is a directory tree of .hcl and .hcl.json files. All files are read as one; their names and the order of blocks never matter.",
		Blocks: []*Block{
			fairleadBlock(), variableBlock(), localsBlock(), modelBlock(), secretBlock(), simulationBlock(),
			datasetBlock(), pipelineBlock(), policyBlock(), versionBlock(), trust, includeBlock(trust), approvalBlock(), promoteBlock(), notifierBlock(), movedBlock(), removedBlock(),
		},
	}
	root.Blocks = append(root.Blocks, environmentBlock(root))
	for _, b := range root.Blocks {
		if b.Instances {
			b.Arguments = append(b.Arguments, instanceArguments()...)
		}
		setSince(b)
	}
	return root
}

// setSince fills in the version where the table does not say otherwise.
func setSince(b *Block) {
	if b.Since == "" {
		b.Since = first
	}
	for _, a := range b.Arguments {
		if a.Since == "" {
			a.Since = first
		}
	}
	for _, n := range b.Blocks {
		setSince(n)
	}
}

// instanceArguments are those of every block that can be switched off or
// repeated over a collection.
func instanceArguments() []*Argument {
	return []*Argument{
		{
			Name: "enabled", Type: Bool, Default: "true", Example: `env.name == "prod"`,
			Doc: "Whether the block counts at all. A disabled block is checked, then left out.",
		},
		{
			Name: "for_each", Type: Any, Example: `toset(["eu", "us"])`,
			Doc: "A map, or a set of strings: the block stands once per element, with `each.key` and `each.value` in its expressions. " +
				"Instances are written `model.NAME[\"KEY\"]` and known as NAME-KEY. Keys hold a-z, 0-9, _ and -.",
		},
	}
}

func fairleadBlock() *Block {
	return &Block{
		Name: "fairlead",
		Doc:  "Settings of the language itself. It is read before all else and alone, so nothing can be referenced in it.",
		Example: `fairlead {
  required_version = ">= 0.1"
}`,
		Arguments: []*Argument{{
			Name: "required_version", Type: Version, Example: `">= 0.1, < 2.0"`,
			Doc: "Versions of Fairlead that may read this repo: `=`, `!=`, `>`, `>=`, `<`, `<=`, `~>`, separated by commas. With another version nothing else is read.",
		}},
	}
}

func variableBlock() *Block {
	return &Block{
		Name: "variable", Label: "name", LabelRule: LabelID, Repeats: true,
		Doc: "A value that can be set from outside: by `--var NAME=VALUE`, a file of values or FAIRLEAD_VAR_NAME. It is read as `var.NAME`. " +
			"Values are not secret and may be printed; use a `secret` block for what must not be.",
		Example: `variable "registry" {
  type    = string
  default = "localhost:5000"
}`,
		Arguments: []*Argument{
			{
				Name: "type", Type: Constraint, Note: "the type of default, or string", Example: "list(string)",
				Doc: "string, number, bool, list(T), set(T), map(T), object({...}), tuple([...]) or any.",
			},
			{Name: "default", Type: Any, Example: `"localhost:5000"`, Doc: "The value where none is given from outside. Without it a value is required."},
			{Name: "description", Type: String, Doc: "What it is for."},
		},
	}
}

func localsBlock() *Block {
	return &Block{
		Name: "locals", Repeats: true, Free: true, Adds: true,
		Doc: "Names for expressions, read as `local.NAME`. There may be any number of such blocks; each name may be defined once.",
		Example: `locals {
  team = "@vision"
}`,
	}
}

func secretBlock() *Block {
	return &Block{
		Name: "secret", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "Where a secret value comes from; exactly one source. The value is read on the daemon's host only, and is never part of a plan, log or label. " +
			"`secret.NAME` can stand as a value of `env`, `secrets` and `api_keys`, and of `url`, `token` and `signing_key` of a notifier, nowhere else. " +
			"An included repo has the sources age and sops only. What it declares is decrypted with keys of its own, `--age-identity NAME=FILE` of the daemon, and with no others: a ciphertext that was copied from another repo gives nothing there.",
		Example: `secret "db_password" {
  file = "/etc/fairlead/secrets/db_password"
}`,
		Arguments: []*Argument{
			{Name: "file", Type: String, Example: `"/etc/fairlead/secrets/db_password"`, Doc: "Absolute path of a file on the daemon's host."},
			{Name: "env", Type: String, Example: `"DB_PASSWORD"`, Doc: "Environment variable of the daemon."},
			{Name: "age", Type: String, Example: `file("secrets/db_password.age")`, Doc: "The value itself, encrypted with age for the daemon's key, or in an included repo for that include's: armoured, or base64."},
			{Name: "sops", Type: String, Example: `"secrets.enc.yaml"`, Doc: "File of the repo that is encrypted with SOPS for that age key: YAML, JSON, dotenv or binary."},
			{Name: "key", Type: String, Note: "the whole file", Example: `"db.password"`, Doc: "Which value of the SOPS file, by the names that lead to it."},
		},
	}
}

func movedBlock() *Block {
	return &Block{
		Name: "moved", Repeats: true,
		Doc: "Says that a model has a new name, so that its containers are kept instead of destroyed and created anew.",
		Example: `moved {
  from = model.digits
  to   = model.digits_cnn
}`,
		Arguments: []*Argument{
			{Name: "from", Type: Ref, Refers: "model", Required: true, Example: "model.digits", Doc: "The former address. No such model may be declared any more."},
			{Name: "to", Type: Ref, Refers: "model", Required: true, Example: "model.digits_cnn", Doc: "The address of now, which must be declared."},
		},
	}
}

func removedBlock() *Block {
	return &Block{
		Name: "removed", Repeats: true,
		Doc: "Says what becomes of the containers of a model that is not declared any more. Without such a block they are destroyed.",
		Example: `removed {
  from    = model.digits
  destroy = false
}`,
		Arguments: []*Argument{
			{Name: "from", Type: Ref, Refers: "model", Required: true, Example: "model.digits", Doc: "The address that was removed."},
			{Name: "destroy", Type: Bool, Required: true, Example: "false", Doc: "`true` destroys the containers, `false` leaves them alone for good."},
		},
	}
}

// environmentBlock repeats the blocks that an overlay can change. Nothing is
// required in an overlay: it holds only what differs.
func environmentBlock(root *Block) *Block {
	b := &Block{
		Name: "environment", Label: "name", LabelRule: LabelName, Repeats: true, Adds: true,
		Doc: "Declares an environment and what differs in it. The blocks in it overlay those of the same kind and label: an argument replaces, " +
			"a labelled block merges by label, a list (of values, or of blocks without label) replaces. A block that may stand only once merges. Nothing is required in an overlay. " +
			"`env.name` is the environment's name.",
		Example: `environment "prod" {
  model "digits" {
    replicas = 4
  }
}`,
	}
	overlaid := []string{"variable", "locals", "model", "secret", "simulation", "dataset", "pipeline", "policy", "notifier", "include"}
	for _, n := range root.Blocks {
		if slices.Contains(overlaid, n.Name) {
			b.Blocks = append(b.Blocks, n)
		}
	}
	return b
}
