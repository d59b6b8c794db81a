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
  gate "g" {
    require = matrix.hidden > 1 # ERROR: Fact not known here :: select.NAME.values.NAME
  }
}
