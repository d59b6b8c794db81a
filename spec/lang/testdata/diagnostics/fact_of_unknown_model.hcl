pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "g" {
    require = live.digit.metrics.accuracy > 0.9 # ERROR: Unknown model :: Did you mean live.digits?
  }
}

model "digits" {
  image = "a:1"
}
