pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  param "share" {
    default = 0.2
  }
  step "evaluate" {
    image   = "steps:1"
    command = ["--share", param.shar] # ERROR: Unknown parameter :: Did you mean share?
  }
}
