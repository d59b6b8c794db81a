pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image   = "steps:1"
    env     = { A = "x-${secret.s}-${step.train.metrics.n}" } # ERROR: Secret used as text
    command = [secret.s] # ERROR: Secret used as text :: env, secrets and api_keys
  }
  gate "g" {
    require = secret.s == step.train.metrics.n # ERROR: Secret used as text
  }
}

secret "s" {
  env = "S"
}
