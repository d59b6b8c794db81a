pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = { data = dataset.digit } # ERROR: Unknown dataset :: Did you mean dataset.digits?
  }
}

dataset "digits" {
  source = "data/digits.csv"
}
