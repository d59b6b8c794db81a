pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "plain" {
    image = "steps:1"
  }
  gate "g" {
    require = step.plain.metrics.accuracy > 0.9 # ERROR: Step without metrics :: Add metrics
  }
}
