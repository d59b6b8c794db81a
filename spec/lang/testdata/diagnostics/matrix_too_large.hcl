pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image  = "steps:1"
    matrix = { a = range(20), b = range(20) } # ERROR: Too many variants :: 400 combinations
  }
}
