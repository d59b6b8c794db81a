model "a" {
  image = "a:1"
  rollout {
    strategy = blue_green
    step {
      weight = 50 # ERROR: Contradictory values :: For a share of them write strategy = canary
    }
    step {
      weight = 100
    }
  }
}
