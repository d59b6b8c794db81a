variable "a" {
  default = "1"
}
variable "a" { # ERROR: Duplicate block :: var
  default = "2"
}
