# How models must be made.

policy "tested" {
  description = "Nothing is published that was not tested against metrics which were set before."
  for         = pipeline
  where       = pipeline.publish != null
  require     = pipeline.hard_gates >= 1 && length(pipeline.gate_metrics) > 0
  regulation  = "EU AI Act, Art. 9(8)"
  message     = "Add a gate with level = hard that asks for a metric of an evaluating step."
}

policy "bias_examined" {
  description = "A model that learns from personal data is examined for bias before it is published."
  for         = pipeline
  where       = pipeline.publish != null && pipeline.personal
  require = anytrue([
    contains(pipeline.gate_metrics, "demographic_parity_ratio"),
    contains(pipeline.gate_metrics, "demographic_parity_difference"),
    contains(pipeline.gate_metrics, "equalized_odds_ratio"),
    contains(pipeline.gate_metrics, "equalized_odds_difference"),
    contains(pipeline.gate_metrics, "equal_opportunity_ratio"),
    contains(pipeline.gate_metrics, "equal_opportunity_difference"),
  ])
  regulation = "EU AI Act, Art. 10(2)(f) and (g)"
  message    = "Let fairlead evaluate compute a measure of fairness over the groups that matter, and add a gate for it."
}

policy "repeatable" {
  description = "A run can be done again: its data is fixed, and no step fetches anything from outside."
  for         = pipeline
  level       = soft
  where       = pipeline.publish != null
  require     = length(pipeline.unpinned_datasets) == 0 && length(pipeline.network_steps) == 0
  regulation  = "EU AI Act, Annex IV(2)"
  message     = "Give every dataset a digest, and take what steps fetch into their images or into datasets."
}
