model "digits" {
  image = "digits:1"
  resources {
    memory = "2G" # ERROR: Invalid size :: GiB (powers of 1024) or GB
  }
}
