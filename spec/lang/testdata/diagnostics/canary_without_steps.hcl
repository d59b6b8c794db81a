model "a" {
  image = "a:1"
  rollout { # ERROR: Missing block :: goes in steps
    strategy = canary
  }
}
