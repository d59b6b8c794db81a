locals {
  team = "a"
}
locals {
  team = "b" # ERROR: Duplicate local :: duplicate_local.hcl:2
}
