pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "g" {
    require = pipeline.owners != [] # ERROR: Fact not known here :: Only a policy judges pipelines
  }
}
