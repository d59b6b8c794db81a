model "a" {
  image = "a:1"
  rollout {
    match { # ERROR: Contradictory arguments :: write strategy = ab
      header = "X-Tester"
      value  = "yes"
    }
  }
}
