package schema

func pipelineBlock() *Block {
	return &Block{
		Name: "pipeline", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "How a model is made: steps, each a container that reads what others wrote; the order follows from what they read. " +
			"What is known only when a run is under way is read as `param.NAME`, `matrix.NAME`, `step.NAME.metrics.METRIC`, `select.NAME.metrics.METRIC`, `dataset.NAME.digest`, " +
			"`live.MODEL.metrics.METRIC` (of the version that serves now) and `run.id`, in `env`, `command`, `when`, `require` and `version`.",
		Example: `pipeline "train_digits" {
  on = [change, dataset.digits]

  step "train" {
    image   = "digits-train:1"
    inputs  = { data = dataset.digits }
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "good_enough" {
    require = step.train.metrics.accuracy >= 0.95
  }
  publish {
    model    = model.digits
    artifact = step.train.model
  }
}`,
		Arguments: []*Argument{
			{Name: "description", Type: String, Doc: "What it makes, for people."},
			{Name: "owners", Type: StringList, Example: `["@vision"]`, Doc: "Who answers for it."},
			{
				Name: "on", Type: Triggers, Keywords: []string{"change", "drift", "manual"}, Refers: "dataset", Note: "nothing", Example: "[change, dataset.digits]",
				Doc: "What starts a run: `change` of the definition, or of what it reads of the repo; new content of a dataset; `drift` that a monitor sees. A person always can.",
			},
			{
				Name: "concurrency", Type: Keyword, Keywords: []string{"queue", "replace", "skip"}, Default: "queue",
				Doc: "What becomes of a trigger while a run is under way: it waits (several become one), cancels that run, or is dropped.",
			},
			{Name: "parallel", Type: Integer, Note: "as many as the daemon allows", Min: bound(1), Max: bound(256), Example: "2", Doc: "How many containers run at a time."},
			{Name: "timeout", Type: Duration, Note: "none", Min: bound(1), Max: bound(30 * 86400), Example: `"2h"`, Doc: "Time for a whole run."},
		},
		Blocks: []*Block{scheduleBlock(), paramBlock(), pipelineStepBlock(), selectBlock(), gateBlock(), publishBlock()},
	}
}

func scheduleBlock() *Block {
	return &Block{
		Name: "schedule",
		Doc:  "Starts runs by the clock.",
		Example: `schedule {
  cron = "0 3 * * 1"
  zone = "Europe/Berlin"
}`,
		Arguments: []*Argument{
			{Name: "cron", Type: String, Required: true, Example: `"0 3 * * 1"`, Doc: "Minute, hour, day of the month, month, weekday; or @hourly, @daily, @weekly, @monthly, @yearly."},
			{Name: "zone", Type: String, Default: `"UTC"`, Example: `"Europe/Berlin"`, Doc: "Time zone, by its IANA name."},
			{Name: "missed", Type: Keyword, Keywords: []string{"once", "skip"}, Default: "once", Doc: "What becomes of times that fell into an outage of the daemon: one run makes up for all, or none."},
			{Name: "jitter", Type: Duration, Default: `"0s"`, Min: bound(0), Max: bound(86400), Example: `"5m"`, Doc: "Delays the start by a fixed part of it, which follows from the pipeline's name, so that not all start at once."},
		},
	}
}

func paramBlock() *Block {
	return &Block{
		Name: "param", Label: "name", LabelRule: LabelID, Repeats: true,
		Doc: "A value that a person may set for a run, read as `param.NAME`. Another value runs only what depends on it.",
		Example: `param "test_share" {
  default = 0.2
}`,
		Arguments: []*Argument{
			{Name: "type", Type: Keyword, Keywords: []string{"string", "number", "bool"}, Note: "that of default, or string", Doc: "The type."},
			{Name: "default", Type: Any, Example: "0.2", Doc: "The value where none is given. Without it a run needs one, and nothing can start it by itself."},
			{Name: "description", Type: String, Doc: "What it is for."},
		},
	}
}

// inRun are the roots of the facts of a run.
func inRun(more ...string) []string {
	return append(more, "param", "step", "select", "dataset", "live", "model", "run")
}

func pipelineStepBlock() *Block {
	return &Block{
		Name: "step", Label: "name", LabelRule: LabelName, Repeats: true,
		Doc: "One container that runs to its end. It finds its inputs below /in, each in a directory of its name and read-only, and writes each output into the directory of its name below /out. " +
			"A step whose image, command, environment and inputs are those of an earlier run is not run again.",
		Example: `step "train" {
  image   = "digits-train:1"
  inputs  = { data = step.split.train }
  matrix  = { hidden = [32, 64, 128] }
  env     = { HIDDEN = matrix.hidden }
  outputs = ["model"]
  metrics = "metrics.json"
}`,
		Arguments: append(stepArguments(), stepContainerArguments()...),
		Blocks:    []*Block{resourcesBlock(), logsBlock(), mountBlock(), searchBlock()},
	}
}

func stepArguments() []*Argument {
	return []*Argument{
		{Name: "image", Type: String, Required: true, Example: `"digits-train:1"`, Doc: "The container image: NAME:TAG, or NAME@sha256:DIGEST. A run pins it by its digest."},
		{
			Name: "inputs", Type: Inputs, Example: "{ data = dataset.digits, model = step.train.model }",
			Doc: "What it reads, by the name below /in: `dataset.NAME`, `step.NAME.OUTPUT` or `select.NAME.OUTPUT`. The output of a step with variants comes as one directory per variant.",
		},
		{Name: "env", Type: Variables, Reads: inRun("matrix"), Example: "{ SHARE = param.test_share, TOKEN = secret.token }", Doc: "Environment variables: text, or a secret."},
		{Name: "command", Type: Words, Reads: inRun("matrix"), Note: "the image's own", Example: `["--share", param.test_share]`, Doc: "The arguments of the program, instead of the image's."},
		{Name: "outputs", Type: StringList, Example: `["train", "test"]`, Doc: "Names of the directories below /out that it fills. One that is empty at the end is a failure."},
		{Name: "metrics", Type: String, Example: `"metrics.json"`, Doc: "The file below /out with its figures: a JSON object of numbers."},
		{Name: "matrix", Type: Axes, Example: "{ hidden = [32, 64], seed = [1, 2] }", Doc: "Runs the step once per combination, at most 256, with the values as `matrix.NAME`."},
		{Name: "when", Type: Condition, Reads: inRun("matrix"), Note: "always", Example: "param.full", Doc: "The step, and what needs it, is skipped where this does not hold."},
		{Name: "after", Type: RefList, Refers: "step", Example: "[step.clean]", Doc: "Steps that must have ended although nothing of them is read."},
		{Name: "exit", Type: Bool, Default: "false", Doc: "Runs when all others have ended, whatever came of them. `run.outcome` and `run.reason` tell."},
		{Name: "retries", Type: Integer, Default: "0", Min: bound(0), Max: bound(100), Doc: "How often a failed attempt is repeated."},
		{
			Name: "retry_on", Type: KeywordList, Keywords: []string{"engine", "exit", "oom", "timeout", "output", "metrics"}, Note: "[engine, exit, timeout]",
			Doc: "Which failures are repeated: the engine could not start it or lost it, exit code, out of memory, time-out, an output is missing or too large, metrics are missing or no numbers.",
		},
		{Name: "backoff", Type: Duration, Default: `"5s"`, Min: bound(0), Max: bound(86400), Doc: "Time before the first repetition; each next one waits twice as long."},
		{Name: "max_backoff", Type: Duration, Default: `"5m"`, Min: bound(0), Max: bound(86400), Doc: "The longest wait."},
		{Name: "timeout", Type: Duration, Note: "that of the run", Min: bound(1), Max: bound(30 * 86400), Example: `"20m"`, Doc: "Time for one attempt."},
		{Name: "cache", Type: Bool, Default: "true", Doc: "Whether the result of an earlier run may be taken."},
		{Name: "max_age", Type: Duration, Note: "any", Min: bound(1), Max: bound(3650 * 86400), Example: `"30d"`, Doc: "How old such a result may be."},
		{Name: "max_log", Type: Size, Default: `"64MiB"`, Min: bound(4 << 10), Max: bound(1 << 40), Doc: "How much of an attempt's log is kept."},
		{Name: "max_output", Type: Size, Default: `"10GiB"`, Min: bound(4 << 10), Max: bound(1 << 50), Doc: "How much it may write below /out; above, it is killed."},
	}
}

// stepContainerArguments are what a container may be told that runs to its end.
func stepContainerArguments() []*Argument {
	return []*Argument{
		{Name: "entrypoint", Type: StringList, Note: "the image's own", Example: `["/train"]`, Doc: "The program to run, instead of the image's."},
		{Name: "secrets", Type: SecretMap, Example: `{ token = secret.token }`, Doc: "Secrets as read-only files: the key is the name of the file below /run/secrets."},
		{Name: "user", Type: String, Note: "the image's own", Example: `"1000:1000"`, Doc: "The user to run as: name or id, with or without group."},
		{Name: "read_only", Type: Bool, Default: "true", Doc: "Makes the root file system read-only, all but /out and /tmp."},
		{Name: "network", Type: Bool, Default: "false", Doc: "Whether it may reach the network. A step that may can see other data every time, so its result is less certain to be the same."},
		{Name: "stop_timeout", Type: Duration, Default: `"10s"`, Min: bound(0), Max: bound(3600), Doc: "The time from SIGTERM to SIGKILL."},
		{Name: "devices", Type: StringList, Example: `["/dev/fuse"]`, Doc: "Devices of the host, by absolute path. The operator's policy must grant each."},
		{Name: "capabilities", Type: StringList, Example: `["NET_ADMIN"]`, Doc: "Linux capabilities to add to none, without the CAP_ prefix. The operator's policy must grant each."},
		{Name: "privileged", Type: Bool, Default: "false", Doc: "Gives the container all of the host. The operator's policy must grant it."},
	}
}

func searchBlock() *Block {
	return &Block{
		Name: "search",
		Doc:  "Looks for the best values: the step runs once per trial, with the values as `matrix.NAME`. Instead of matrix.",
		Example: `search {
  method   = tpe
  trials   = 20
  maximize = "accuracy"

  dimension "rate" {
    min = 0.0001
    max = 0.1
    log = true
  }
}`,
		Arguments: []*Argument{
			{Name: "method", Type: Keyword, Keywords: []string{"random", "tpe"}, Default: "tpe", Doc: "At random, or by a tree-structured Parzen estimator (Bergstra et al. 2011)."},
			{Name: "trials", Type: Integer, Required: true, Min: bound(1), Max: bound(1000), Example: "20", Doc: "How many."},
			{Name: "parallel", Type: Integer, Default: "1", Min: bound(1), Max: bound(256), Doc: "How many at a time. Each trial knows the results of those that ended before the last this many."},
			{Name: "seed", Type: Integer, Default: "0", Min: bound(0), Max: bound(1 << 53), Doc: "Start of the random numbers. The same seed makes the same trials."},
			{Name: "maximize", Type: String, Example: `"accuracy"`, Doc: "Metric of the step to make as large as possible. This or minimize."},
			{Name: "minimize", Type: String, Example: `"loss"`, Doc: "Metric of the step to make as small as possible."},
		},
		Blocks: []*Block{{
			Name: "dimension", Label: "name", LabelRule: LabelID, Repeats: true,
			Doc: "One value that a trial chooses: from a range, or from a list.",
			Example: `dimension "kind" {
  values = ["relu", "tanh"]
}`,
			Arguments: []*Argument{
				{Name: "min", Type: Number, Example: "0.0001", Doc: "Lower end of the range."},
				{Name: "max", Type: Number, Example: "0.1", Doc: "Upper end of the range."},
				{Name: "log", Type: Bool, Default: "false", Doc: "Whether the logarithm varies evenly, for values of several magnitudes."},
				{Name: "integer", Type: Bool, Default: "false", Doc: "Whether values are whole numbers."},
				{Name: "values", Type: Any, Example: `["relu", "tanh"]`, Doc: "A list to choose from, instead of a range: strings, numbers or bools."},
			},
		}},
	}
}

func selectBlock() *Block {
	return &Block{
		Name: "select", Label: "name", LabelRule: LabelName, Repeats: true,
		Doc: "The best variant of a step with matrix or search. Its outputs are read as `select.NAME.OUTPUT`, its metrics as `select.NAME.metrics.METRIC`, what it was made with as `select.NAME.values.NAME`.",
		Example: `select "best" {
  of       = step.train
  maximize = "accuracy"
}`,
		Arguments: []*Argument{
			{Name: "of", Type: Ref, Refers: "step", Required: true, Example: "step.train", Doc: "The step."},
			{Name: "maximize", Type: String, Example: `"accuracy"`, Doc: "Metric that is largest for the best. This or minimize."},
			{Name: "minimize", Type: String, Example: `"loss"`, Doc: "Metric that is smallest for the best."},
		},
	}
}

func levelArgument() *Argument {
	return &Argument{
		Name: "level", Type: Keyword, Keywords: []string{"hard", "soft", "advisory"}, Default: "hard",
		Doc: "What follows where it does not hold, or cannot be told: it denies; a person may override it with a reason, which is journaled; it is said, nothing else.",
	}
}

func gateBlock() *Block {
	return &Block{
		Name: "gate", Label: "name", LabelRule: LabelName, Repeats: true,
		Doc: "A condition that must hold before the run publishes. A metric that is missing, or no number, is no evidence, and denies.",
		Example: `gate "no_regression" {
  require = step.evaluate.metrics.accuracy >= live.digits.metrics.accuracy - 0.005
}`,
		Arguments: []*Argument{
			{Name: "require", Type: Condition, Reads: inRun(), Required: true, Example: "step.evaluate.metrics.accuracy >= 0.95", Doc: "The condition."},
			levelArgument(),
			{Name: "message", Type: String, Doc: "What to do where it does not hold."},
			{Name: "regulation", Type: String, Example: `"EU AI Act, Art. 15(1)"`, Doc: "Why it is asked."},
		},
	}
}

func publishBlock() *Block {
	return &Block{
		Name: "publish",
		Doc:  "What a run proposes that passed its gates: a new version of the model, as a branch of the config repo with the model's version and artifact changed in place, a `version` block, and the evidence in its message. Merging it is the approval.",
		Example: `publish {
  model    = model.digits
  artifact = select.best.model
  version  = patch
}`,
		Arguments: []*Argument{
			{Name: "model", Type: Ref, Refers: "model", Required: true, Example: "model.digits", Doc: "The model."},
			{Name: "artifact", Type: Input, Required: true, Example: "select.best.model", Doc: "The output that becomes the model's artifact."},
			{
				Name: "version", Type: Bump, Keywords: []string{"patch", "minor", "major"}, Reads: inRun(), Default: "patch", Example: "minor",
				Doc: "Which part of the semantic version moves on from the model's newest, or an expression for the version itself.",
			},
			{Name: "metrics", Type: Ref, Refers: "step or select", Note: "those of the artifact's step and of all that the gates name", Example: "step.evaluate", Doc: "Whose metrics are the version's."},
			{Name: "profile", Type: Input, Example: "step.split.profile", Doc: "The output with the reference profile that monitors compare live traffic with."},
			{Name: "card", Type: String, Note: "the model's card", Example: `"digits/model-card.md"`, Doc: "The model card: path of a Markdown file of the repo."},
			{Name: "registry", Type: String, Note: "the daemon's own store", Example: `"oci://registry.example.com/models/digits"`, Doc: "Where the artifact is pushed: oci://HOST/REPOSITORY."},
			{Name: "tolerance", Type: Number, Default: "0", Min: bound(0), Max: bound(1e9), Example: "0.001", Doc: "How far the metrics of a reproduction may be off, absolute, where training is not exact to the bit."},
			{Name: "tags", Type: Bool, Default: "false", Doc: "Whether a Git tag in the form of GTO is written, too: digits@v1.2.0."},
		},
	}
}
