pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image = "steps:1"
    env = {
      "a b" = "1"        # ERROR: Invalid name
      LIST  = [1]        # ERROR: Wrong type :: a string or a secret
      RATE  = 1.10       # ERROR: Number used as text
      X     = step.train.metrics.x
    }
    command = ["--rate", 0.10] # ERROR: Number used as text :: quotes
  }
  step "b" {
    image   = "steps:1"
    env     = param.x # ERROR: Names not known :: merge()
    command = "train" # ERROR: Wrong type :: in brackets
  }
  step "c" {
    image   = "steps:1"
    command = split(",", run.id) # ERROR: Names not known :: concat()
  }
}
