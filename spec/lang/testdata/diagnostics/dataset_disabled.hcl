dataset "digits" {
  enabled = false
  source  = "data/digits.csv"
}

pipeline "p" {
  step "train" {
    image  = "steps:1"
    inputs = { data = dataset.digits } # ERROR: Disabled dataset :: at dataset_disabled.hcl:1
  }
}

pipeline "off" {
  enabled = false
  step "train" {
    image  = "steps:1"
    inputs = { data = dataset.digits }
  }
}
