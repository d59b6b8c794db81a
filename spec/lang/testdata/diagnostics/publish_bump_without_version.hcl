pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  publish {
    model    = model.digits
    artifact = step.train.model
    version  = minor # ERROR: Version cannot move on :: "v1"
  }
}

model "digits" {
  image   = "a:1"
  version = "v1"
}
