model "digits" {
  image        = "digits:1"
  stop_timeout = "10 seconds" # ERROR: Invalid duration :: a number with a unit
}
