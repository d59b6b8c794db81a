pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image   = "steps:1"
    metrics = "m.json"
    matrix  = { n = [1, 2] }
  }
  select "best" { # ERROR: One metric needed
    of       = step.tune
    maximize = "accuracy"
    minimize = "loss"
  }
  select "worst" { # ERROR: One metric needed :: one of the two
    of = step.tune
  }
}
