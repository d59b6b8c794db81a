model "digits" {
  image        = "digits:1"
  stop_timeout = 10 # ERROR: Wrong type :: Write the unit too, in quotes
}
