model "digits" {
  image = "a:1"
}
moved {
  from = model.a
  to   = model.digit # ERROR: Moved to nowhere :: Did you mean digits?
}
