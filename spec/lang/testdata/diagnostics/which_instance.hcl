model "digits" {
  for_each = toset(["eu", "us"])
  image    = "digits:1"
}
model "letters" {
  image = model.digits.image # ERROR: Which instance :: model.digits["KEY"].image
}
