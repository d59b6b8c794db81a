model "a" {
  image = "a:1"
  health {
    path = "/health z" # ERROR: Invalid path :: percent-encoded
  }
}
