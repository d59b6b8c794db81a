pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = [step.train.model] # ERROR: Wrong type :: by name, in braces
  }
}
