locals {
  list = ["a"]
  x    = "x${local.list}" # ERROR: Invalid template interpolation value
}
