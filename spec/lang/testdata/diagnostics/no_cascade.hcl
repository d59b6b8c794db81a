locals {
  a = var.nope # ERROR: Unknown variable
  b = local.a
}
model "m" {
  image    = "${local.b}:1"
  replicas = local.b + 1
  route {
    path = local.a
  }
}
