model { # ERROR: Block needs a label :: model "NAME"
  image = "digits:1"
}
