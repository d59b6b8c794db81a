model "a" { # WARNING: Model without route :: Add a route block
  image    = "a:1"
  protocol = http
  health {
    path = "/"
  }
}
