pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image = "steps:1"
  }
  step "b" {
    image  = "steps:1"
    inputs = { x = step.a.x } # ERROR: Unknown output :: declares no outputs
  }
}
