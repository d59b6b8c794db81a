model "digits" {
  image = "digits:1"
  rollout {
    step {
      weight = 10
    }
    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
    check "errors" { # ERROR: Duplicate block :: another label
      metric = error_ratio
      max    = 0.02
    }
  }
}
