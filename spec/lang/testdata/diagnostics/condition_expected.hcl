pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "a" {
    require = step.train.metrics.accuracy + 1 # ERROR: Condition expected :: must be true or false
  }
  gate "b" {
    require = "step.train.metrics.accuracy > 0.9" # ERROR: Condition expected :: without quotes
  }
  gate "c" {
    require = 1 < 2 # WARNING: Gate without evidence
  }
}
