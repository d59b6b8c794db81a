pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "evaluate" {
    image  = "steps:1"
    inputs = {
      a = "train"            # ERROR: Reference in quotes :: Write dataset.train, step.train.OUTPUT or select.train.OUTPUT
      b = "step.train.model" # ERROR: Reference in quotes :: Write step.train.model
      c = param.x            # ERROR: Wrong kind of reference :: step.NAME.OUTPUT
      d = 3                  # ERROR: Reference expected :: cannot be computed
      "x/y" = step.train.model # ERROR: Invalid name :: below /in
    }
  }
}
