model "digits" {
  image = "digits:1"
  port  = 80800 # ERROR: Value out of range :: from 1 to 65535
}
