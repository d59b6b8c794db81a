model "a" {
  image = "a:1"
  rollout {
    strategy = blue_green
    step {
      weight = 100
    }
    step {
      weight = 0 # ERROR: Weights not rising :: goes forward only
    }
  }
}
