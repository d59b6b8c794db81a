model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = score_shift # ERROR: Missing block :: must declare its outputs
      max    = 0.1
    }
  }
}
