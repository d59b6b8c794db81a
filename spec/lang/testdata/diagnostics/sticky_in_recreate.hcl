model "a" {
  image = "a:1"
  rollout {
    strategy = recreate
    sticky { # ERROR: Contradictory arguments :: write strategy = canary
      cookie = "side"
    }
  }
}
