model "Digits.v2" { # ERROR: Invalid label :: lower-case letter
  image = "digits:1"
}
