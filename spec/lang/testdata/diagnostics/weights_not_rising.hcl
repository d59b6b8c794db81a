model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 50
    }
    step {
      weight = 20 # ERROR: Weights not rising :: which is 50
    }
  }
}
