pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  on = [
    chnage,   # ERROR: Unknown keyword :: Did you mean change?
    "drift",  # ERROR: Keyword in quotes
    step.train, # ERROR: Wrong kind of reference :: dataset.NAME
  ]
}
