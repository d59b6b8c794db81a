locals {
  v = 1.10
}
model "digits" {
  image   = "digits:1"
  version = local.v # ERROR: Wrong type :: takes a quoted version, and this is a number
}
