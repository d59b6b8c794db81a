# How models must be served.

policy "overseen" {
  description = "A person approves each new version of a high-risk model on its way, and the card says who oversees it and how it is stopped."
  for         = model
  where       = try(model.card.risk, "high") == "high"
  require     = model.rollout.approval && length(model.card.oversight) > 0
  regulation  = "EU AI Act, Art. 14(1), 14(4)(e), 26(2)"
  message     = "Add a step with approval = true to the rollout, and oversight to the front matter of the model card."
}

policy "robust" {
  description = "A high-risk model has a spare replica, a way back, and checks on its way to all traffic."
  for         = model
  level       = soft
  where       = try(model.card.risk, "high") == "high"
  require     = model.replicas >= 2 && model.rollout.keep_previous > 0 && contains(model.rollout.metrics, "error_ratio")
  regulation  = "EU AI Act, Art. 15(4)"
  message     = "Declare two replicas or more, keep_previous, and a check of error_ratio."
}

policy "unaltered" {
  description = "What runs is what was reviewed: images are named by digest, and containers cannot change themselves."
  for         = model
  require     = model.pinned && model.container.read_only_root && !model.container.privileged
  regulation  = "EU AI Act, Art. 15(5)"
  message     = "Name the image by its digest, set read_only = true, and leave privileged at false."
}

policy "guarded" {
  description = "Nobody without a key or a token gets answers."
  for         = model
  where       = env.name == "prod"
  require     = length(model.open_routes) == 0
  regulation  = "EU AI Act, Art. 15(5); GDPR, Art. 32(1)"
  message     = "Add auth to every route of the model; an Open Inference model without routes is open at /v2/models/NAME."
}

policy "recorded" {
  description = "A high-risk model tells figures of its own, so that its operation can be watched, and declares what goes in and out."
  for         = model
  level       = soft
  where       = try(model.card.risk, "high") == "high"
  require     = model.scrape != null && model.signature != null
  regulation  = "EU AI Act, Art. 12(2), 26(5)"
  message     = "Add a metrics block and a signature block. What the gateway sees is recorded in any case, and so is every decision of Fairlead."
}
