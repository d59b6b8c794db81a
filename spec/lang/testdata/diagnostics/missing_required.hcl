model "digits" { # ERROR: Missing argument :: image = "localhost
  replicas = 1
}
