pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  select "best" {
    of       = step.trains # ERROR: Unknown step :: Did you mean train?
    maximize = "accuracy"
  }
}
