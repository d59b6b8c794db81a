model "digits" {
  image   = "digits:1"
  command = "--threads 2" # ERROR: Wrong type :: Put the values in brackets
}
