model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
    }
    check "x" {
      metric = error_ratio
      min    = 0.2
      max    = 0.1 # ERROR: Contradictory values :: could never pass
    }
  }
}
