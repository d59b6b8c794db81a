pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "g" {
    require = step.trian.metrics.accuracy > 0.9 # ERROR: Unknown step :: Did you mean train?
  }
}
