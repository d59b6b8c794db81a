model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" {
  model = model.b # ERROR: Unknown model :: model.b
  rate  = 10
}
