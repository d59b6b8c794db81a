variable "n" {
  type    = "string" # ERROR: Invalid type :: type = string
  default = "x"
}
