model "a" {
  image = "a:1"
  rollout {
    strategy = recreate
    step { # ERROR: Contradictory arguments :: there are no steps
      weight = 10
    }
  }
}
