model "a" {
  image = "a:1"
  rollout {
    strategy = recreate
    check "x" { # ERROR: Nothing to compare with :: stops the old revision first
      metric        = latency_p99
      max_vs_stable = 1.2
    }
  }
}
