model "a" {
  image = "a:1"
  rollout {
    strategy = shadow
    check "x" {
      metric = shadow_agreement
      min    = 0 # ERROR: Bound without effect :: is never below 0
    }
  }
}
