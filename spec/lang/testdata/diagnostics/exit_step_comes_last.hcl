pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "notify" {
    image   = "steps:1"
    exit    = true
    outputs = ["x"]
    metrics = "m.json"
    inputs  = { m = step.train.model }
  }
  step "late" {
    image  = "steps:1"
    inputs = { x = step.notify.x } # ERROR: Exit step comes last
    after  = [step.notify]         # ERROR: Exit step comes last :: exit = true
  }
  gate "g" {
    require = step.notify.metrics.x > 1 # ERROR: Exit step comes last :: gates are judged
  }
}
