package schema

// Fact is something that is known only when a run is under way or an object is
// judged, and that a condition can ask about.
type Fact struct {
	Name string `json:"name"` // behind the root and the name of the object: owners
	Doc  string `json:"doc"`
}

// FactGroup is the facts below one root.
type FactGroup struct {
	Root  string `json:"root"` // model
	Form  string `json:"form"` // how they are written: model.FACT
	Doc   string `json:"doc"`
	Facts []Fact `json:"facts"`
}

// Facts returns all facts. Whoever judges makes them; a fact that is not declared
// or not known is absent, and what asks about it has no evidence.
func Facts() []FactGroup {
	return []FactGroup{
		{"param", "param.NAME", "The parameters of the run.", nil},
		{"matrix", "matrix.NAME", "In a step with matrix or search: the values of the variant.", nil},
		{"step", "step.NAME.FACT", "A step that has ended, of which there is one variant.", stepFacts()},
		{"select", "select.NAME.FACT", "The best variant of a step.", stepFacts()},
		{"run", "run.FACT", "The run itself.", runFacts()},
		{"live", "live.MODEL.FACT", "The version of a model that serves now. Nothing is known before the first one: `try(live.digits.metrics.accuracy, 0)`.", liveFacts()},
		{"dataset", "dataset.NAME.FACT, or dataset.FACT in a policy", "A dataset.", datasetFacts()},
		{"model", "model.NAME.FACT, or model.FACT in a policy", "A model.", modelFacts()},
		{"pipeline", "pipeline.FACT", "In a policy: the pipeline that is judged.", pipelineFacts()},
		{"from", "from.FACT", "In a promotion: what is stable in the other environment.", fromFacts()},
	}
}

// FactsBelow returns the names of the facts below a root.
func FactsBelow(root string) []string {
	var names []string
	for _, g := range Facts() {
		if g.Root != root {
			continue
		}
		for _, f := range g.Facts {
			names = append(names, f.Name)
		}
	}
	return names
}

func stepFacts() []Fact {
	return []Fact{
		{"metrics", "Its figures, by name: `metrics.accuracy`, `metrics.per_class[\"7\"]`."},
		{"values", "What the variant was made with: `values.hidden`."},
		{"phase", "How it ended: succeeded, failed, skipped or cancelled."},
		{"reason", "Why."},
	}
}

func runFacts() []Fact {
	return []Fact{
		{"id", "PIPELINE-NUMBER."},
		{"pipeline", "Name of the pipeline."},
		{"commit", "Commit of the config repo that it is of."},
		{"trigger", "What started it: manual, schedule, change, dataset or drift."},
		{"actor", "Who started it, of a manual one."},
		{"outcome", "In an exit step: succeeded, failed, denied or cancelled."},
		{"reason", "In an exit step: why."},
	}
}

func liveFacts() []Fact {
	return []Fact{
		{"version", "The version."},
		{"metrics", "Its figures, by name."},
		{"params", "The parameters that it was made with."},
		{"artifact", "Its artifact."},
		{"content", "Digest of the artifact's files."},
		{"created", "When it was made."},
	}
}

func datasetFacts() []Fact {
	return []Fact{
		{"name", "Its name."},
		{"description", "As declared."},
		{"owners", "List, as declared."},
		{"source", "`source.kind` (repo, http, oci or volume) and `source.location`."},
		{"digest", "Digest of the content: as declared, and in a run as found."},
		{"rows", "In a run: how many rows it has."},
		{"pinned", "Whether the content is fixed, by a digest or as a file of the repo."},
		{"license", "As declared."},
		{"region", "As declared."},
		{"personal", "Whether it holds data about people."},
		{"collected", "When it was collected."},
		{"age_days", "Days since then."},
		{"labels", "As declared: `labels.doi`."},
		{"expectations", "How many there are."},
		{"columns", "List of the columns about which something is expected."},
		{"used_by", "List of the pipelines that read it."},
	}
}

func modelFacts() []Fact {
	return []Fact{
		{"name", "Its name."},
		{"description", "As declared."},
		{"owners", "List, as declared."},
		{"version", "As declared."},
		{"license", "As declared."},
		{"protocol", "open_inference or http."},
		{"port", "As declared."},
		{"replicas", "How many serve."},
		{"image", "As declared."},
		{"image_digest", "Digest of the image, where it is declared by it."},
		{"pinned", "Whether the image is declared by its digest."},
		{"artifact", "`artifact.ref` and `artifact.digest`."},
		{"card", "Front matter of the model card: `card.intended_purpose`."},
		{"card_path", "Path of the model card."},
		{"signature", "`signature.inputs` and `signature.outputs`: lists of names."},
		{"health", "`health.path`, `health.interval` and `health.deadline`, in seconds."},
		{"warmup", "`warmup.count`."},
		{"scrape", "`scrape.path` and `scrape.port` of the model's own metrics."},
		{"container", "`container.user`, `.read_only_root`, `.privileged`, `.host_network`, `.cpus`, `.memory`, `.gpus`, `.mounts`, `.devices`, `.capabilities`, `.secrets`."},
		{"routes", "List of objects: `routes[0].path`, `.host`, `.auth`, `.api_keys`, `.jwt`, `.rate`, `.concurrency`, `.fallback`, `.timeout`."},
		{"open_routes", "List of the ways to it that ask for no key and no token."},
		{"rollout", "`rollout.strategy`, `.steps`, `.first_weight`, `.approval`, `.checks`, `.metrics`, `.on_failure`, `.keep_previous`."},
		{"metrics", "Figures of its version, where the registry has an entry of it."},
		{"lineage", "Of its version: `lineage.pipeline`, `.run`, `.commit`, `.created`, `.age_days`, `.content`, `.params`, `.metrics`, `.gates`, `.datasets`, `.licenses`, `.regions`, `.personal`, `.profile`, `.reproducible`."},
	}
}

func pipelineFacts() []Fact {
	return []Fact{
		{"name", "Its name."},
		{"description", "As declared."},
		{"owners", "List, as declared."},
		{"timeout", "In seconds."},
		{"parallel", "As declared."},
		{"concurrency", "As declared."},
		{"steps", "List of names."},
		{"params", "List of names."},
		{"on", "List of triggers."},
		{"schedule", "`schedule.cron` and `schedule.zone`."},
		{"pinned", "Whether the image of every step is declared by its digest."},
		{"unpinned_images", "List of the others."},
		{"network_steps", "List of the steps that reach the network."},
		{"secrets", "List of the secrets that steps are given."},
		{"gates", "Level by name: `gates.fair`."},
		{"hard_gates", "How many of them are hard."},
		{"gate_metrics", "List of the metrics that gates ask about."},
		{"datasets", "List of the datasets that it reads."},
		{"unpinned_datasets", "Those of them whose content is not fixed."},
		{"unchecked_datasets", "Those of them without expectations."},
		{"licenses", "Licences of the datasets."},
		{"regions", "Regions of the datasets."},
		{"personal", "Whether one of them holds data about people."},
		{"publish", "`publish.model`, `.card`, `.profile`, `.registry`, `.tolerance`, `.tags`."},
	}
}
