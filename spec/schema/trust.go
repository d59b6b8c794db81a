package schema

func trustBlock() *Block {
	return &Block{
		Name: "trust",
		Doc: "Which commits of this repo count. A commit is judged by the block of the one that was accepted before it, so no change can weaken its own gate; the first one is judged by the operator's file of the same form. " +
			"A commit that is refused changes nothing, and a good one overtakes it. With `mode = every` that is one without it in its history: amend or rebase what was refused, and push the branch anew.",
		Example: `trust {
  mode = every

  signer "ann" {
    ssh = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA..."]
  }
  group "vision" {
    members = ["ann", "ben"]
  }
  review "models" {
    paths     = ["models/**"]
    approvals = 1
    from      = ["@vision"]
  }
}`,
		Arguments: []*Argument{
			{
				Name: "mode", Type: Keyword, Keywords: []string{"every", "head", "off"}, Required: true,
				Doc: "Which commits must be signed: every one since the one that was accepted last, only the one that is followed (or a tag on it), or none.",
			},
			{Name: "since", Type: String, Example: `"8f3c51b0a7d94e62b1c0f5a3e7d9826410bfae37"`, Doc: "Full id of the commit up to which, itself included, history is not judged: what was there before signatures were asked for."},
		},
		Blocks: []*Block{signerBlock(), groupBlock(), reviewBlock()},
	}
}

func signerBlock() *Block {
	return &Block{
		Name: "signer", Label: "name", LabelRule: LabelText, Repeats: true,
		Doc: "Who may sign commits, and with which keys. It has at least one key.",
		Example: `signer "ann" {
  login       = "ann-k"
  ssh         = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA... ann@laptop"]
  valid_until = "2027-12-31"
}`,
		Arguments: []*Argument{
			{Name: "login", Type: String, Note: "the label", Example: `"ann-k"`, Doc: "Name of the person on the forge."},
			{Name: "ssh", Type: StringList, Example: `["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA... ann@laptop"]`, Doc: "Public SSH keys, as in authorized_keys and without options."},
			{Name: "gpg", Type: StringList, Example: `[file("keys/ann.asc")]`, Doc: "Public GPG keys, armoured, as `gpg --armor --export` writes them."},
			{
				Name: "role", Type: Keyword, Keywords: []string{"person", "forge", "bot"}, Default: "person",
				Doc: "What the signature is good for. A person may sign any commit. A forge signs merges that add nothing of their own, all parents of which are good by themselves. What a bot signs counts when a person or the forge has merged it.",
			},
			{Name: "valid_from", Type: Time, Example: `"2026-01-01"`, Doc: "A commit of an earlier time does not count."},
			{Name: "valid_until", Type: Time, Example: `"2027-12-31"`, Doc: "A commit of a later time does not count."},
			{Name: "revoked", Type: Time, Example: `"2026-11-03T14:00:00Z"`, Doc: "When the key was given up or lost. No signature counts that was made from then on, nor any that is first seen from then on."},
		},
	}
}

func groupBlock() *Block {
	return &Block{
		Name: "group", Label: "name", LabelRule: LabelText, Repeats: true,
		Doc: "People under one name, which `owners` and `from` can use: `@vision`.",
		Example: `group "vision" {
  members = ["ann", "ben"]
}`,
		Arguments: []*Argument{
			{Name: "members", Type: StringList, Required: true, Example: `["ann", "ben"]`, Doc: "Logins on the forge."},
		},
	}
}

func reviewBlock() *Block {
	return &Block{
		Name: "review", Label: "name", LabelRule: LabelName, Repeats: true,
		Doc: "Who must have approved a change, on the forge and of the very head that was merged. An author's own approval never counts. It needs approvals, owners, or both.",
		Example: `review "models" {
  paths     = ["models/**"]
  approvals = 2
  from      = ["@vision", "@ben"]
  owners    = true
}`,
		Arguments: []*Argument{
			{Name: "paths", Type: StringList, Note: "all", Example: `["models/**"]`, Doc: "Globs over the paths of files below the configured path: `*` for anything in a name, `**` for any directories. A change of one such file needs the review."},
			{Name: "approvals", Type: Integer, Default: "0", Min: bound(0), Max: bound(100), Doc: "How many people must have approved."},
			{Name: "from", Type: StringList, Note: "whoever may review on the forge", Example: `["@vision"]`, Doc: "Whose approval counts: @LOGIN, or @GROUP of a group block."},
			{Name: "owners", Type: Bool, Default: "false", Doc: "Asks for the approval of an owner of each object that the change touches, and of each path that CODEOWNERS gives somebody."},
		},
	}
}
