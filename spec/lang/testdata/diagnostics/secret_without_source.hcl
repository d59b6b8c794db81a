secret "token" { # ERROR: One source needed :: this one has 0
}
