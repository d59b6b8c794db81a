model "digits" {
  image = "digits:1"
  resources {
    memory = "1MiB" # ERROR: Value out of range :: from 6MiB
  }
}
