model "digits" {
  image = uper("digits:1") # ERROR: Unknown function :: Did you mean upper?
}
