model "a" { # ERROR: Missing argument :: path = "/healthz"
  image    = "a:1"
  protocol = http
  route {
    path = "/x"
  }
}
