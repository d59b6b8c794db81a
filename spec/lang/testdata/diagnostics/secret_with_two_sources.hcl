secret "token" { # ERROR: One source needed :: this one has 2
  env  = "TOKEN"
  file = "/etc/token"
}
