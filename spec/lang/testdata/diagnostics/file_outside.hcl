locals {
  x = file("../../etc/passwd") # ERROR: Function failed :: cannot lead out of it
}
