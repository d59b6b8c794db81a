locals {
  list = ["a"]
  x    = local.list[3] # ERROR: Invalid index
}
