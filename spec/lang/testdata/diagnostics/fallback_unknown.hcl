model "digits" {
  image = "digits:1"
}
model "letters" {
  image = "letters:1"
  route {
    path     = "/x"
    fallback = model.digit # ERROR: Unknown model :: Did you mean model.digits?
  }
}
