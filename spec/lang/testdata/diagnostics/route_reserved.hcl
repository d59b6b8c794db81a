model "a" {
  image = "a:1"
  route {
    path = "/v2/models/b" # ERROR: Reserved path :: Choose another path
  }
}
