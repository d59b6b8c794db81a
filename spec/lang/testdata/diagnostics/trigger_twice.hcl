pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  on = [change, change] # ERROR: Duplicate trigger
}
