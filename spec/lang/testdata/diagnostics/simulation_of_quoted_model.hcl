model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" {
  model = "a" # ERROR: Reference in quotes :: Write model = model.a
  rate  = 10
}
