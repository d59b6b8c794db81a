model "a" {
  image = "a:1"
  health {
    path = "" # ERROR: Invalid path :: does not start with /
  }
}
