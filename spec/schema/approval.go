package schema

func approvalBlock() *Block {
	return &Block{
		Name: "approval", Label: "model", LabelRule: LabelName, Repeats: true, Adds: true,
		Doc: "Lets a rollout pass a step with `approval = true`: merging this block is the approval. The label is the name under which the model is served. " +
			"It counts for the one revision and step that it names, and without effect it may stay or go. Promote proposals write such blocks, one file for each model.",
		Example: `approval "digits" {
  revision = "4f2a90b1c2d3"
  step     = 2
}`,
		Arguments: []*Argument{
			{Name: "revision", Type: String, Required: true, Example: `"4f2a90b1c2d3"`, Doc: "The revision of the candidate, as `fairlead status` shows it."},
			{Name: "step", Type: Integer, Required: true, Min: bound(1), Max: bound(1000), Example: "2", Doc: "Which step it may pass; the first is 1."},
			{Name: "started", Type: String, Example: `"2026-11-21T14:00:03.250417Z"`, Doc: "When the rollout began, to all its digits, as `fairlead status --json` has it: the approval is void once the revision is rolled out anew. Without it the approval is for the rollout that is under way when it is merged."},
			{Name: "environment", Type: Ref, Refers: "environment", Note: "every one", Example: "environment.prod", Doc: "The environment in which it counts."},
		},
	}
}

func updateBlock() *Block {
	return &Block{
		Name: "update",
		Doc:  "Proposes newer images of the model: the highest version of a range, or what a tag has come to mean. Fairlead looks into the registry and opens a pull request that pins the digest; nothing changes before that is merged. It follows exactly one of range and tag.",
		Example: `update {
  range    = "~1.2"
  interval = "1h"
}`,
		Arguments: []*Argument{
			{Name: "range", Type: Version, Example: `"~1.2"`, Doc: "Constraint on tags that are semantic versions: `~1.2` (1.2.x), `^1.2` (below 2), `>= 1.2, < 1.9`, `1.x`, with `||` for or. Pre-releases count where the constraint names one: `>= 1.2-0`."},
			{Name: "tag", Type: String, Example: `"stable"`, Doc: "A tag that is moved: its digest is followed."},
			{Name: "interval", Type: Duration, Default: `"1h"`, Min: bound(60), Max: bound(30 * 86400), Doc: "Time between two looks at the registry."},
		},
	}
}

func promoteBlock() *Block {
	return &Block{
		Name: "promote", Label: "environment", LabelRule: LabelName, Repeats: true, Adds: true,
		Doc: "Proposes for the environment of the label what has run well in another one, by the evidence in the journal of that. " +
			"There may be several with the same label, for different models.",
		Example: `promote "prod" {
  from    = environment.staging
  models  = [model.digits]
  after   = "24h"
  require = [from.outcome == "promoted", from.restarts == 0]
}`,
		Arguments: []*Argument{
			{Name: "from", Type: Ref, Refers: "environment", Required: true, Example: "environment.staging", Doc: "Where it has to have run well."},
			{Name: "models", Type: RefList, Refers: "model", Note: "every model that both have", Example: "[model.digits]", Doc: "The models that it is about."},
			{Name: "after", Type: Duration, Default: `"24h"`, Min: bound(0), Max: bound(365 * 86400), Doc: "How long a release must have been stable there."},
			{Name: "require", Type: Conditions, Reads: []string{"from"}, Example: `[from.restarts == 0]`, Doc: "Further conditions, all of which must hold. One of which this cannot be told does not."},
		},
	}
}

// fromFacts are about a model in the environment that it is promoted from.
func fromFacts() []Fact {
	return []Fact{
		{"model", "Name under which it is served."},
		{"version", "The team's own version of what is stable there."},
		{"revision", "The revision that is stable there."},
		{"hours", "For how many hours it has been stable, without a break."},
		{"outcome", "How the last rollout there has ended: promoted, fast_promoted, rolled_back, fast_rolled_back, aborted, superseded or failed."},
		{"rejected", "Whether that revision is in the ledger of those that were rejected there."},
		{"restarts", "How many rollouts in a row a newer revision has superseded there."},
		{"commit", "Commit of the config repo that asked for it."},
		{"weight", "Its share of the requests there, in percent: below 100 while a newer one is rolled out."},
	}
}
