pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "notify" {
    image  = "steps:1"
    exit   = true # ERROR: Contradictory arguments :: once, at the end
    matrix = { n = [1, 2] }
  }
}
