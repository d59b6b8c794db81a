package schema

func simulationBlock() *Block {
	return &Block{
		Name: "simulation", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "Traffic on which `fairlead rollout simulate` tries the rollout rules of a model, in virtual time: what would become of such a candidate, how soon, and how many requests it would get. " +
			"It changes nothing that runs.",
		Example: `simulation "five_percent_errors" {
  model = model.digits
  rate  = 50

  stable {
    error_ratio = 0.001
    latency     = "20ms"
  }
  candidate {
    error_ratio = 0.05
  }
}`,
		Arguments: []*Argument{
			{Name: "model", Type: Ref, Refers: "model", Required: true, Example: "model.digits", Doc: "The model whose rollout rules are tried. It must have a rollout block."},
			{Name: "rate", Type: Number, Required: true, Min: bound(0.001), Max: bound(1e6), Example: "50", Doc: "Requests per second that come in, to stable and candidate together."},
		},
		Blocks: []*Block{simulatedStableBlock(), simulatedCandidateBlock()},
	}
}

func simulatedStableBlock() *Block {
	return &Block{
		Name: "stable", Always: true,
		Doc: "How the revision behaves that serves now.",
		Example: `stable {
  error_ratio = 0.001
  latency     = "20ms"
  spread      = 0.3
}`,
		Arguments: []*Argument{
			{Name: "error_ratio", Type: Number, Default: "0", Min: bound(0), Max: bound(1), Example: "0.001", Doc: "Share of the requests that are answered with 5xx: 0.001 is 0.1 %."},
			{Name: "latency", Type: Duration, Default: `"20ms"`, Min: bound(1e-6), Max: bound(3600), Doc: "The median of the latencies."},
			{Name: "spread", Type: Number, Default: "0.3", Min: bound(0), Max: bound(3), Doc: "How far latencies spread, as the standard deviation of their logarithm: with 0.3 the slowest 1 % take twice the median or more."},
		},
	}
}

func simulatedCandidateBlock() *Block {
	const asStable = "that of stable"
	return &Block{
		Name: "candidate",
		Doc:  "How the new revision behaves. What is left out is as in stable; without this block the two are alike.",
		Example: `candidate {
  error_ratio = 0.05
  latency     = "30ms"
}`,
		Arguments: []*Argument{
			{Name: "error_ratio", Type: Number, Note: asStable, Min: bound(0), Max: bound(1), Example: "0.05", Doc: "As in stable."},
			{Name: "latency", Type: Duration, Note: asStable, Min: bound(1e-6), Max: bound(3600), Example: `"30ms"`, Doc: "As in stable."},
			{Name: "spread", Type: Number, Note: asStable, Min: bound(0), Max: bound(3), Example: "0.3", Doc: "As in stable."},
			{Name: "shift", Type: Number, Default: "0", Min: bound(-100), Max: bound(100), Example: "0.5", Doc: "How far its output values lie from stable's, in standard deviations. The check score_shift sees it."},
			{Name: "agreement", Type: Number, Default: "1", Min: bound(0), Max: bound(1), Example: "0.99", Doc: "Share of the mirrored requests that both sides answer alike. The check shadow_agreement sees it."},
		},
	}
}
