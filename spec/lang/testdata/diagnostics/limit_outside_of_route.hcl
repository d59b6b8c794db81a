model "a" {
  image = "a:1"
  limit { # ERROR: Unknown block :: It belongs into model.route
    rate = 5
  }
}
