variable "n" {
  type    = number
  default = "many" # ERROR: Wrong type :: does not fit the type
}
