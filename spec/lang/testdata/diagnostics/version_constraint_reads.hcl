variable "v" {
  default = "1"
}
fairlead {
  required_version = var.v # ERROR: Reference not allowed :: before everything else
}
