model "a" {
  image = "a:1"
  rollout {}
}
simulation "errors" {
  model = model.a
  rate  = 10
}
simulation "errors" { # ERROR: Duplicate block :: simulation_twice.hcl:5
  model = model.a
  rate  = 20
}
