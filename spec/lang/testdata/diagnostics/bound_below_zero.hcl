model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = latency_p50
      max    = -1 # ERROR: Value out of range :: never below 0
    }
  }
}
