model "digits" {
  image = "digits:1"
  resources {
    memory = "256Mi" # ERROR: Invalid size :: Write the B: MiB
  }
}
