pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image   = "steps:1"
    metrics = "m.json"
    matrix  = { n = [1, 2] } # ERROR: Contradictory arguments :: Remove one of the two
    search {
      trials   = 3
      maximize = "accuracy"
      dimension "rate" {
        min = 0
        max = 1
      }
    }
  }
}
