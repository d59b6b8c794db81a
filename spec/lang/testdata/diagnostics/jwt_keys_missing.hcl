model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = "{\"keys\": []}" # ERROR: Invalid key set :: it has no keys
      }
    }
  }
}
