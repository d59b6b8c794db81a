model "digits" {
  image = "digits:1"
  image = "digits:2" # ERROR: Duplicate argument :: set already
}
