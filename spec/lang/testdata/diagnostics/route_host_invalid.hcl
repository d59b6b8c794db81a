model "a" {
  image = "a:1"
  route {
    host = "example.com:8080" # ERROR: Invalid host :: without port
    path = "/x"
  }
}
