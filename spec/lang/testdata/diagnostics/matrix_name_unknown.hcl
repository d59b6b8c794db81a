pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image  = "steps:1"
    matrix = { hidden = [1, 2] }
    env    = { H = matrix.hiden } # ERROR: Unknown matrix name :: Did you mean hidden?
  }
  step "plain" {
    image = "steps:1"
    env   = { H = matrix.hidden } # ERROR: No variants here :: select.NAME.values.hidden
  }
  step "tuned" {
    image   = "steps:1"
    metrics = "m.json"
    matrix  = { hidden = [1, 2] }
  }
  select "best" {
    of       = step.tuned
    maximize = "a"
  }
  gate "a" {
    require = select.best.values.hiden > 1 # ERROR: Unknown matrix name :: Did you mean hidden?
  }
  gate "b" {
    require = step.train.values.hidden > 1 # ERROR: No variants here :: neither matrix nor search
  }
  gate "c" {
    require = length(select.best.values) > 0 && select.best.values["hidden"] > 1
  }
  gate "g" {
    require = matrix.hidden > 1 # ERROR: Fact not known here :: select.NAME.values.NAME
  }
}
