pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "a" {
    require = step.train.metric.accuracy > 0.9 # ERROR: Unknown fact :: Did you mean metrics?
  }
  gate "b" {
    require = step.train.model == "x" # ERROR: Output used as value :: inputs = { model = step.train.model }
  }
  gate "c" {
    require = step.train # ERROR: Incomplete reference :: metrics, values, phase, reason
  }
  gate "d" {
    require = run.out == "x" # ERROR: Unknown fact :: run.out
  }
  gate "e" {
    require = param > 3 # ERROR: Incomplete reference :: param.NAME
  }
}
