pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "notify" {
    image = "steps:1"
    env   = { O = run.outcome } # ERROR: Not known yet :: exit = true
  }
  step "tell" {
    image = "steps:1"
    env   = { R = run.id } # WARNING: Result never taken again :: cache = false
  }
}
