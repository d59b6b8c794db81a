model "a" {
  image = "a:1"
  rollout {
    strategy = blue_green
    check "x" { # ERROR: Nothing to compare with :: never measured side by side
      metric        = latency_p99
      max_vs_stable = 1.2
    }
  }
}
