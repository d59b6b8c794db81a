variable "registry" {
  default = "localhost"
}
model "digits" {
  image = "${var.registri}/digits:1" # ERROR: Unknown variable :: Did you mean var.registry?
}
