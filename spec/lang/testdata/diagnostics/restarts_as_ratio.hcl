model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric        = restarts
      max_vs_stable = 1.1 # ERROR: Bound without meaning :: nothing can be divided by that
    }
  }
}
