environment "prod" {
  version "digits@1.2.0" { # ERROR: Unknown block
  }
}
# environment: prod
