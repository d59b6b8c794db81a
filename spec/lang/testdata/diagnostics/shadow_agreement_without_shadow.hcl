model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = shadow_agreement # ERROR: Metric without meaning :: only the strategy shadow has
      min    = 0.99
    }
  }
}
