pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image  = "steps:1"
    matrix = { n = [1, 2] }
  }
  select "best" {
    of       = step.tune # ERROR: Step without metrics :: cannot be compared
    maximize = "accuracy"
  }
}
