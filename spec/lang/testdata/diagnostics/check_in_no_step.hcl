model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
      checks = [check.x]
    }
    check "x" {
      metric = error_ratio
      max    = 0.01
    }
    check "y" { # WARNING: Check without effect :: Add check.y to a step
      metric = latency_p99
      max    = 0.5
    }
  }
}
