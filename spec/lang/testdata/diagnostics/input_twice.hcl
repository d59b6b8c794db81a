pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = {
      m = step.train.model
      m = step.train.model # ERROR: Duplicate name
    }
  }
}
