model "a" {
  image = "a:1"
}
simulation "errors" {
  model = model.a # ERROR: Nothing to simulate :: model.a (at simulation_without_rollout.hcl:1)
  rate  = 10
}
