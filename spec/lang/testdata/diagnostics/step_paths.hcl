pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image   = "steps:1"
    outputs = [
      "model",
      "a/b",     # ERROR: Invalid name
      "metrics", # ERROR: Reserved name
      "model",   # ERROR: Duplicate output
    ]
    metrics = "model" # ERROR: Contradictory arguments :: model/metrics.json
    mount "/in/x" { # ERROR: Reserved path :: below /in
      type = tmpfs
    }
  }
  step "b" {
    image   = "steps:1"
    metrics = "../m.json" # ERROR: Invalid path :: below /out
  }
}
