model "b" {
  image = "b:1"
}
model "c" {
  image = "c:1"
}
moved {
  from = model.a
  to   = model.b
}
moved {
  from = model.a # ERROR: Moved or removed twice :: moved_twice.hcl:7
  to   = model.c
}
