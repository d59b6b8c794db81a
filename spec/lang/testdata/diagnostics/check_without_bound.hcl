model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
    }
    check "x" { # ERROR: Check without bound :: could never fail
      metric = error_ratio
    }
  }
}
