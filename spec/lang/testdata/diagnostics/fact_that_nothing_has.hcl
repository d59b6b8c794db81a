policy "a" {
  for     = model
  require = length(model.owner) > 0 # ERROR: Unknown fact :: Did you mean owners?
}

model "digits" {
  image = "a:1"
}

dataset "digits" {
  source = "data/digits.csv"
}

pipeline "p" {
  step "train" {
    image = "steps:1"
    env   = { A = dataset.digits.digets } # ERROR: Unknown fact :: Did you mean digest?
  }
  gate "g" {
    require = try(live.digits.metric.accuracy, 0) > 0 # ERROR: Unknown fact :: Did you mean metrics?
  }
  gate "h" {
    require = live.digits != null # ERROR: Incomplete reference :: version, metrics
  }
}
