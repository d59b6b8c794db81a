environment "prod" {
  dataset "digits" { # ERROR: Overlay of nothing
    source = "data/digits.csv"
  }
}
# environment: prod
