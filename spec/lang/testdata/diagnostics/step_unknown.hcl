pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = { model = step.trian.model } # ERROR: Unknown step :: Did you mean train?
  }
}
