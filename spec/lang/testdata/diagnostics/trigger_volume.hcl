dataset "stock" {
  source = "volume://stock"
}

pipeline "p" {
  step "train" {
    image  = "steps:1"
    inputs = { data = dataset.stock }
  }
  on = [change, dataset.stock] # ERROR: Volume as trigger :: Use a schedule
}
