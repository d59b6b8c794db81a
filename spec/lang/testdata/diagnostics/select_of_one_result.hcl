pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  select "best" {
    of       = step.train # ERROR: Nothing to select :: neither matrix nor search
    maximize = "accuracy"
  }
}
