locals {
  x = jsondecode("{") # ERROR: Function failed
}
