locals {
  x = true
    ? 1 # ERROR: Expression ends with its line :: parentheses
}
