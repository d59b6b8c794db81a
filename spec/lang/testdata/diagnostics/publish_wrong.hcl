pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "tune" {
    image   = "steps:1"
    outputs = ["model"]
    matrix  = { n = [1, 2] }
  }
  publish {
    model    = model.digit     # ERROR: Unknown model :: Did you mean model.digits?
    artifact = step.tune.model # ERROR: Several variants :: select.NAME.model
    profile  = step.train.profil # ERROR: Unknown output
    metrics  = step.tune # ERROR: Several variants
    version  = 1.10 # ERROR: Wrong type :: quotes
    card     = "data/no.md" # ERROR: No such file
    registry = "oci://localhost/models:1" # ERROR: Invalid registry :: without tag
  }
}

model "digits" {
  image = "a:1"
}
