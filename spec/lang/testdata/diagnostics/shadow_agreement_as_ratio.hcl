model "a" {
  image = "a:1"
  rollout {
    strategy = shadow
    check "x" {
      metric        = shadow_agreement
      min_vs_stable = 0.9 # ERROR: Bound without meaning :: no ratio. Use min.
    }
  }
}
