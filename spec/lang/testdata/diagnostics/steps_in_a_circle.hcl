pipeline "p" {
  step "a" {
    image   = "steps:1"
    inputs  = { x = step.c.x }
    outputs = ["x"]
  }
  step "b" {
    image   = "steps:1"
    inputs  = { x = step.a.x } # ERROR: Steps in a circle :: step.a waits for step.c at steps_in_a_circle.hcl:4 step.c waits for select.best at steps_in_a_circle.hcl:20 step.b waits for step.a at steps_in_a_circle.hcl:9
    outputs = ["x"]
    metrics = "m.json"
    matrix  = { n = [1, 2] }
  }
  select "best" {
    of       = step.b
    maximize = "n"
  }
  step "c" {
    image   = "steps:1"
    env     = { N = select.best.metrics.n }
    outputs = ["x"]
  }
}
