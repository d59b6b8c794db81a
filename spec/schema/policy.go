package schema

func policyBlock() *Block {
	return &Block{
		Name: "policy", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "A condition on every model, pipeline or dataset: a regulation as code. The one that is judged is read as `model.FACT`, `pipeline.FACT` or `dataset.FACT`. A fact that is missing is no evidence, and denies. " +
			"A model that a hard policy denies is not changed, and nothing of it is published.",
		Example: `policy "owned" {
  for        = model
  require    = length(model.owners) > 0
  regulation = "EU AI Act, Art. 26(2)"
  message    = "Name in owners who answers for the model."
}`,
		Arguments: []*Argument{
			{Name: "description", Type: String, Doc: "What it is about, for people."},
			{Name: "for", Type: Keyword, Keywords: []string{"model", "pipeline", "dataset"}, Required: true, Doc: "What it judges."},
			{Name: "where", Type: Condition, Reads: []string{"model", "pipeline", "dataset"}, Note: "all", Example: `env.name == "prod"`, Doc: "Which of them. One of which this cannot be told is judged."},
			{Name: "require", Type: Condition, Reads: []string{"model", "pipeline", "dataset"}, Required: true, Example: "length(model.owners) > 0", Doc: "The condition."},
			levelArgument(),
			{Name: "message", Type: String, Doc: "What to do where it does not hold."},
			{Name: "regulation", Type: String, Example: `"EU AI Act, Art. 26(2)"`, Doc: "Why it is asked."},
		},
	}
}

func versionBlock() *Block {
	return &Block{
		Name: "version", Label: "model@version", LabelRule: LabelText, Repeats: true,
		Doc: "One version of a model, MODEL@VERSION: what it is made of and from. `publish` of a pipeline writes such blocks, one file each; they never change. They are the registry: whatever disk is lost, the lineage of every version is in Git.",
		Arguments: []*Argument{
			{Name: "artifact", Type: String, Required: true, Example: `"oci://local/digits@sha256:46ab..."`, Doc: "What models take, by the digest of its manifest."},
			{Name: "content", Type: String, Example: `"sha256:46ab..."`, Doc: "Digest of the files alone."},
			{Name: "created", Type: Time, Required: true, Example: `"2026-11-21T13:00:00Z"`, Doc: "When it was made."},
			{Name: "pipeline", Type: String, Doc: "Which pipeline made it."},
			{Name: "run", Type: String, Doc: "In which run."},
			{Name: "commit", Type: String, Doc: "Commit of the config repo that the run was of."},
			{Name: "params", Type: ValueMap, Example: "{ test_share = 0.2 }", Doc: "The parameters of the run."},
			{Name: "data", Type: StringMap, Example: `{ digits = "sha256:46ab..." }`, Doc: "Digest of each dataset."},
			{Name: "metrics", Type: NumberMap, Example: "{ accuracy = 0.9835 }", Doc: "Its figures."},
			{Name: "profile", Type: String, Doc: "Digest of the reference profile."},
			{Name: "card", Type: String, Doc: "Path of the model card."},
			{Name: "card_hash", Type: String, Doc: "Digest of the model card as it was."},
			{Name: "tolerance", Type: Number, Default: "0", Min: bound(0), Doc: "How far the metrics of a reproduction may be off."},
			{Name: "definition", Type: String, Doc: "The pipeline as it was run, as JSON."},
		},
		Blocks: []*Block{versionStepBlock(), versionGateBlock()},
	}
}

func versionStepBlock() *Block {
	return &Block{
		Name: "step", Label: "name", LabelRule: LabelText, Repeats: true,
		Doc: "A step that the artifact depends on, as it ran.",
		Arguments: []*Argument{
			{Name: "image", Type: String, Required: true, Doc: "Its image, by digest."},
			{Name: "key", Type: String, Doc: "Its key in the cache."},
			{Name: "values", Type: ValueMap, Doc: "Its values of matrix or search."},
			{Name: "inputs", Type: StringMap, Doc: "Digest of each input."},
		},
	}
}

func versionGateBlock() *Block {
	return &Block{
		Name: "gate", Label: "name", LabelRule: LabelText, Repeats: true, Adds: true,
		Doc: "What became of a gate or a policy.",
		Arguments: []*Argument{
			{Name: "outcome", Type: String, Required: true, Doc: "passed, failed, missing or overridden."},
			{Name: "detail", Type: String, Doc: "The condition with its figures."},
			{Name: "regulation", Type: String, Doc: "Why it was asked."},
			{Name: "actor", Type: String, Doc: "Who overrode it."},
			{Name: "reason", Type: String, Doc: "And why."},
		},
	}
}
