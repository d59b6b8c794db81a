# What holds for every model, whoever approved it. examples/policies has more.

policy "pinned" {
  description = "What runs is what was reviewed: images are named by digest."
  for         = model
  require     = model.pinned
  message     = "Name the image by its digest, or run fairlead pin."
}

policy "owned" {
  description = "Somebody answers for it, and approves its changes."
  for         = model
  require     = length(model.owners) > 0
  message     = "Name a group of the trust block in owners."
}

policy "approved_in_prod" {
  description = "In prod a person lets a new version pass on its way."
  for         = model
  where       = env.name == "prod"
  require     = model.rollout.approval
  message     = "Add a step with approval = true to the rollout."
}
