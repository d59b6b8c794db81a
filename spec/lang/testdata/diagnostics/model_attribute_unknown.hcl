model "digits" {
  image = "digits:1"
}
model "letters" {
  image = model.digits.images # ERROR: Unknown attribute of a model :: Did you mean image?
}
