secret "key" {
  env = "KEY"
}
model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      api_keys = secret.key # ERROR: Wrong type :: Write it in brackets
    }
  }
}
