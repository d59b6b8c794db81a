model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = true ? model.a : model.b # ERROR: Reference expected :: cannot be computed
  }
}
