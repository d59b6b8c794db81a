model "a" {
  image = "a:1"
  route {
    path = "x/../y" # ERROR: Invalid path :: does not start with /
  }
}
