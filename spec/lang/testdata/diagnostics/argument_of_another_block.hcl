model "digits" {
  image  = "digits:1"
  memory = "1GiB" # ERROR: Unknown argument :: It belongs into model.resources.
}
