policy "a" {
  for     = model
  require = dataset.age_days < 30 # ERROR: Fact not known here :: model.FACT
}
policy "b" {
  for     = pipeline
  require = true # WARNING: Policy without evidence
}
policy "c" {
  require = length(model.owners) > 0
  for     = models # ERROR: Unknown keyword :: Did you mean model?
}
policy "d" { # ERROR: Missing argument :: require =
  for = model
}
policy "e" {
  for     = model
  require = step.train.metrics.x > 1 # ERROR: Fact not known here
}
