model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = latency_p99
      max    = 250 # WARNING: Latency in seconds :: a bound of 4m10s
    }
  }
}
