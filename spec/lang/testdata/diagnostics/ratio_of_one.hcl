model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = error_ratio
      max    = 1 # ERROR: Bound without effect :: could never fail
    }
  }
}
