model "digits" "eu" { # ERROR: Block takes one label :: model "NAME"
  image = "digits:1"
}
