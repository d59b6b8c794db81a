model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      api_keys = [] # ERROR: Empty list :: nobody could come in
    }
  }
}
