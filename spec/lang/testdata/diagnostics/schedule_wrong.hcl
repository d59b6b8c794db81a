pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  schedule {
    cron = "0 25 * * *"   # ERROR: Invalid schedule :: five fields
    zone = "Europe/Berln" # ERROR: Unknown time zone :: IANA
  }
}
