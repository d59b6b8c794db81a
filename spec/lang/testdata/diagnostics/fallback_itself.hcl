model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = model.digits # ERROR: Fallback to itself :: cannot answer for itself
  }
}
