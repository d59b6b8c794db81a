model "a" {
  image = "a:1"
  route {
    path = "/a%20b" # ERROR: Invalid path :: it holds '%'
  }
}
