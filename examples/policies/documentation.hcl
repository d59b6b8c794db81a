# What must be known about a model before it serves. The facts come from the model
# block, and from the front matter of its model card.

policy "owned" {
  description = "Somebody answers for every model."
  for         = model
  require     = length(model.owners) > 0
  regulation  = "EU AI Act, Art. 26(2); ISO/IEC 42001, A.3.2"
  message     = "Name in owners who answers for the model: people with the competence and the authority to stop it."
}

policy "documented" {
  description = "What a model is for, and what it cannot do, is written down."
  for         = model
  require     = length(model.card.intended_purpose) >= 20 && length(model.card.limitations) > 0
  regulation  = "EU AI Act, Art. 11(1), Annex IV(1)(a), Art. 13(3)(b)"
  message     = "Write a model card whose front matter has intended_purpose, in a sentence or more, and a list of limitations."
}

policy "risk_assessed" {
  description = "The risk of every model has been thought about, and of a high one the risks are named."
  for         = model
  require     = contains(["minimal", "limited", "high"], model.card.risk) && (model.card.risk != "high" || length(model.card.risks) > 0)
  regulation  = "EU AI Act, Art. 9(2)(a); NIST AI RMF, MAP 5"
  message     = "Say in the front matter of the model card: risk = minimal, limited or high; and for high, the list of risks."
}

policy "accuracy_declared" {
  description = "The quality of a high-risk model is measured, and stands in the registry."
  for         = model
  where       = try(model.card.risk, "high") == "high"
  require     = length(model.metrics) > 0
  regulation  = "EU AI Act, Art. 15(3)"
  message     = "Publish the version by a pipeline with a step that evaluates it, so that its entry in versions/ holds the metrics."
}

policy "traceable" {
  description = "Of a high-risk model it is known which run, of which commit, made it from which data."
  for         = model
  where       = try(model.card.risk, "high") == "high"
  require     = model.lineage.run != null && model.lineage.commit != null && length(model.lineage.datasets) > 0
  regulation  = "EU AI Act, Art. 11(1), Annex IV(2)"
  message     = "Publish the version by a pipeline, so that its entry in versions/ holds the lineage."
}
