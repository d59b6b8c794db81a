model "a" {
  image = "a:1"
  metrics {
    interval = "5m" # ERROR: Value out of range :: from 100ms to 2m
  }
}
