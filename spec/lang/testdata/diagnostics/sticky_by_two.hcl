model "a" {
  image = "a:1"
  rollout {
    sticky { # ERROR: One source needed :: exactly one of the two
      cookie = "side"
      header = "X-User"
    }
  }
}
