model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" {
  model = model.a
  rate  = 10
  candidate {
    error_ratio = 5 # ERROR: Value out of range :: from 0 to 1
  }
}
