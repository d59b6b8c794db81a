pipeline "p" {
  step "a" {
    image = "steps:1"
    when  = step.a.metrics.x > 1 # ERROR: Steps in a circle :: step.a waits for step.a
    metrics = "m.json"
  }
}
