model "a" {
  image = "a:1"
  metrics {
    path = "metrics" # ERROR: Invalid path :: does not start with /
  }
}
