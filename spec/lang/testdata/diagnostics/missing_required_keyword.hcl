model "digits" {
  image = "digits:1"
  mount "/cache" { # ERROR: Missing argument :: type = volume
    source = "cache"
  }
}
