model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
    }
    check "x" { # ERROR: One measurement needed :: exactly one thing
      metric = error_ratio
      query  = "x"
      max    = 0.5
    }
  }
}
