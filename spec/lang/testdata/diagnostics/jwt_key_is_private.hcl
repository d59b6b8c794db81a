model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"AAAA\", \"d\": \"AAAA\"}]}" # ERROR: Invalid key set :: known by its member "d"; whoever can read the repo could sign
      }
    }
  }
}
