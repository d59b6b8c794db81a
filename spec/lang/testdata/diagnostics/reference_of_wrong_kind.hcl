secret "s" {
  env = "S"
}
model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = secret.s # ERROR: Wrong kind of reference :: write model.NAME
  }
}
