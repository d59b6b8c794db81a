model "digits" {
  image = "digits:1"
}
model "letters" {
  image = model.digits["eu"].image # ERROR: Model without instances :: has no for_each
}
