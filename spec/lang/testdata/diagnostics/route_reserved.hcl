model "a" {
  image = "a:1"
  route {
    path = "/v2/models/b" # ERROR: Invalid path :: reserved
  }
}
