model "a" {
  image = "a:1"
  rollout {
    strategy = blue_green
    sticky { # ERROR: Contradictory arguments :: one revision answers everybody
      cookie = "side"
    }
  }
}
