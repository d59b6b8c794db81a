model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" { # ERROR: Missing argument :: needs rate
  model = model.a
}
