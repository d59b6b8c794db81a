model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" {
  model = model.a
  rate  = 10
  stable {
    latency = 20 # ERROR: Wrong type :: Write the unit too
  }
}
