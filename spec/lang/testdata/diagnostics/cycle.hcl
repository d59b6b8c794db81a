locals {
  a = local.b
  b = "${local.c}x"
  c = local.a # ERROR: References in a circle :: local.a reads local.b at cycle.hcl:2
}
