model "digits" {
  image = digits # ERROR: Unknown reference :: put it in quotes: "digits"
}
