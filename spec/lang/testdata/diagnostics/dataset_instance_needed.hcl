dataset "digits" {
  for_each = toset(["eu", "us"])
  source   = "data/digits.csv"
}

pipeline "p" {
  on = [dataset.digits["asia"]] # ERROR: Unknown instance :: eu, us
  step "train" {
    image  = "steps:1"
    inputs = { data = dataset.digits } # ERROR: Which instance :: dataset.digits["KEY"]
  }
}
