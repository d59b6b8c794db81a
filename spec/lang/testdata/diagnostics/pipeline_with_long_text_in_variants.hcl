locals {
  line = join("", [for i in range(1000) : "0123456789012345678901234567890123456789"])
  text = join("", [for i in range(5) : local.line])
}

pipeline "p" { # ERROR: Pipeline too large :: With all variants
  step "a" {
    image  = "steps:1"
    env    = { TEXT = local.text }
    matrix = { seed = range(100) }
  }
}
