model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 120 # ERROR: Value out of range :: from 0 to 100
    }
  }
}
