pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  schedule = "0 3 * * 1" # ERROR: Block expected :: schedule {
}
