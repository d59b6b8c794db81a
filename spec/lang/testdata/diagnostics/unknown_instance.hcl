model "digits" {
  for_each = toset(["eu", "us"])
  image    = "digits:1"
}
model "letters" {
  image = model.digits["uk"].image # ERROR: Unknown instance :: Did you mean us?
}
