pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image   = "steps:1"
    metrics = "m.json"
    matrix  = { n = [1, 2] }
  }
  gate "g" {
    require = step.tune.metrics.accuracy > 0.9 # ERROR: Several variants :: select block
  }
}
