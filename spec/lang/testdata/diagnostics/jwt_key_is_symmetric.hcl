model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = jsonencode({ keys = [{ kty = "oct", k = "c2VjcmV0" }] }) # ERROR: Invalid key set :: known by its member "k"
      }
    }
  }
}
