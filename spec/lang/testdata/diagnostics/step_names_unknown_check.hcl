model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
      checks = [check.error] # ERROR: Unknown check :: Did you mean errors?
    }
    check "errors" {
      metric = error_ratio
      max    = 0.1
    }
  }
}
