model "a" {
  image = "a:1"
  route {
    path = "/a"
    limit {} # ERROR: Limit without bound :: limits nothing
  }
}
