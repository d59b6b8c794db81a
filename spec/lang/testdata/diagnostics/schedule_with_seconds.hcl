pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  schedule {
    cron = "0 0 3 * * 1" # ERROR: Invalid schedule
    zone = "Local"       # ERROR: Unknown time zone :: wherever the daemon runs
  }
}
