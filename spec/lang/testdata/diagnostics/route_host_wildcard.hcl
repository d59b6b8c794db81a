model "a" {
  image = "a:1"
  route {
    host = "*.example.com" # ERROR: Invalid host :: no wildcards
    path = "/x"
  }
}
