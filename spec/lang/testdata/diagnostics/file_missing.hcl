model "digits" {
  image = "digits:1"
  warmup {
    request = file("digits.json") # ERROR: Function failed :: Did you mean data/digits.json?
  }
}
