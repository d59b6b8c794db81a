model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = "small" # ERROR: Reference in quotes :: Write fallback = model.small
  }
}
