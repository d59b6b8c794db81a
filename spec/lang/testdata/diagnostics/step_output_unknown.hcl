pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = { model = step.train.modell } # ERROR: Unknown output :: Did you mean model?
  }
}
