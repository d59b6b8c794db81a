variable "registry" { # ERROR: Variable without value :: FAIRLEAD_VAR_registry
  type = string
}
model "digits" {
  image = "${var.registry}/digits:1"
}
