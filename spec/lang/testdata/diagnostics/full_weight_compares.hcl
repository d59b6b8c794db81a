model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 50
    }
    step {
      weight = 100 # ERROR: Nothing to compare with :: check "x" compares with them
    }
    check "x" {
      metric        = latency_p99
      max_vs_stable = 1.2
    }
  }
}
