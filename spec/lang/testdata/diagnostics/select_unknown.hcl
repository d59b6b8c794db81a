pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = { m = select.best.model } # ERROR: Unknown selection
  }
}
