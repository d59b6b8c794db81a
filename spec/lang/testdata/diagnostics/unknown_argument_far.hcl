model "digits" {
  image = "digits:1"
  xyzzy = 2 # ERROR: Unknown argument :: has no argument "xyzzy"
}
