moved {
  from = model.a
  to   = model.b # ERROR: Moved in a circle
}
moved {
  from = model.b
  to   = model.a # ERROR: Moved in a circle
}
