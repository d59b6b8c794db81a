pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  param "tag" {
    default = "1"
  }
  step "evaluate" {
    image   = "steps:${param.tag}" # ERROR: Unknown reference :: It can stand in env, command and when
    retries = step.train.metrics.n # ERROR: Unknown reference :: known only when a run is under way
  }
}
