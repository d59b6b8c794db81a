model "a" {
  image = "a:1"
  rollout {
    strategy = shadow
    sticky { # ERROR: Contradictory arguments :: stable answers everybody
      cookie = "side"
    }
  }
}
