model "a" {
  image = "a:1"
}
removed {
  from    = model.a # ERROR: Still declared :: removed_still_declared.hcl:1
  destroy = true
}
