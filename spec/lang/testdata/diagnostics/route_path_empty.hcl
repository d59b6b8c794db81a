variable "prefix" {
  type    = string
  default = ""
}

model "a" {
  image = "a:1"
  route {
    path = var.prefix # ERROR: Invalid path :: does not start with /
  }
}
