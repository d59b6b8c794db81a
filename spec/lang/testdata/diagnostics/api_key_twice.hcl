secret "key" {
  env = "KEY"
}
model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      api_keys = [secret.key, secret.key] # ERROR: Duplicate secret :: in the list already
    }
  }
}
