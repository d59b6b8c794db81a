model "a" {
  image = "a:1"
  rollout {
    mirror { # ERROR: Contradictory arguments :: write strategy = shadow
      percent = 10
    }
  }
}
