modle "digits" { # ERROR: Unknown block :: Did you mean model?
  image = "digits:1"
}
