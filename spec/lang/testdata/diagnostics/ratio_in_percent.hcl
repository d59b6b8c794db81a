model "a" {
  image = "a:1"
  rollout {
    check "x" {
      metric = error_ratio
      max    = 5 # ERROR: Value out of range :: For 5 % write 0.05
    }
  }
}
