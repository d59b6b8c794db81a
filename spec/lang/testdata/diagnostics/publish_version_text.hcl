pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  publish {
    model    = model.digits
    artifact = step.train.model
    version  = "major" # ERROR: Invalid version :: patch, minor or major
  }
}

model "digits" {
  image = "a:1"
}
