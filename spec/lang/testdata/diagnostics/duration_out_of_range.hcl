model "digits" {
  image        = "digits:1"
  stop_timeout = "2d" # ERROR: Value out of range :: from 0s to 1h
}
