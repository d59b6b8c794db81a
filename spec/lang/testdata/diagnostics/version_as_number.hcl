model "digits" {
  image   = "digits:1"
  version = 1.10 # ERROR: Wrong type :: 1.10 is the same as 1.1
}
