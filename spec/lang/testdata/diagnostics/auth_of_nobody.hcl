model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {} # ERROR: Nobody admitted :: not who may
  }
}
