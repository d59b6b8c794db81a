model "digits" {
  image = "digits:1"

  rollout {
    step {
      weight = 0 # ERROR: Nothing to measure :: could never pass
      hold   = "1m"
    }
    step {
      weight = 10
    }

    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
  }
}
