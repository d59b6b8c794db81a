model "digits" {
  image = "digits:1"
  warmup {
    request = "data/digits.json" # ERROR: Invalid JSON :: write request = file(
  }
}
