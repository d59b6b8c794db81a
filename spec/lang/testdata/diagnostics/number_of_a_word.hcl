locals {
  x = "a" * 2 # ERROR: Invalid operand
}
