model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 10
    }
    check "x" {
      query = "errors{revision=\"$canditate\"}" # ERROR: Unknown placeholder :: Did you mean $candidate?
      max   = 1
    }
  }
}
