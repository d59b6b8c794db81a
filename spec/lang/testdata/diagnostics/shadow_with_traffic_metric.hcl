model "digits" {
  image = "digits:1"

  rollout {
    strategy = shadow

    check "latency" {
      metric = latency_p99 # ERROR: Metric without meaning :: has nothing to measure
      max    = 0.2
    }
  }
}
