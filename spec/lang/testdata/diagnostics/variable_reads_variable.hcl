variable "a" {
  default = "x"
}
variable "b" {
  default = var.a # ERROR: Reference not allowed :: Use a locals block
}
