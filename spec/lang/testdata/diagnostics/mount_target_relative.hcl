model "a" {
  image = "a:1"
  mount "cache" { # ERROR: Invalid label :: absolute
    type = tmpfs
  }
}
