model "a" {
  image = "a:1"
}
model "b" {
  image = "b:1"
}
moved {
  from = model.a # ERROR: Still declared :: moved_still_declared.hcl:1
  to   = model.b
}
