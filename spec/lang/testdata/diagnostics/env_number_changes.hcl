model "digits" {
  image = "digits:1"
  env   = { RATE = 1.10, OK = 2 } # ERROR: Number used as text :: Put the value in quotes
}
