model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      api_keys = ["hunter2"] # ERROR: Secret expected :: write secret.NAME
    }
  }
}
