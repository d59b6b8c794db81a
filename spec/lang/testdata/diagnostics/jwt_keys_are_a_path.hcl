model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = "jwks.json" # ERROR: Invalid key set :: write keys = file("PATH")
      }
    }
  }
}
