model "a" {
  image = "a:1"
  route {
    path = "/a"
    auth {
      jwt { # ERROR: Missing argument :: needs keys
        issuer   = "" # ERROR: Empty argument :: without issuer
        audience = "" # ERROR: Empty argument :: without audience
      }
    }
  }
}
