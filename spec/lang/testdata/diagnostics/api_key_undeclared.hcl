secret "key" {
  env = "KEY"
}
model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      api_keys = [secret.kye] # ERROR: Unknown secret :: Did you mean secret.key?
    }
  }
}
