pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  publish { # ERROR: Missing argument :: artifact = select.best.model
    model = model.digits
  }
}

model "digits" {
  image = "a:1"
}
