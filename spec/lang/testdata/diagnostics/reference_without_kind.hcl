model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = small # ERROR: Wrong kind of reference :: Write model.small
  }
}
