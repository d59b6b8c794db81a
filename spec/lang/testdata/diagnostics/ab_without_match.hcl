model "a" {
  image = "a:1"
  rollout { # ERROR: Missing block :: say which
    strategy = ab
  }
}
