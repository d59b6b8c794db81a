locals {
  line = join("", [for i in range(1000) : "0123456789012345678901234567890123456789"])
  text = join("", [for i in range(12) : local.line])
}

pipeline "p" { # ERROR: Pipeline too large :: as a dataset
  step "a" {
    image = "steps:1"
    env   = { TEXT = local.text }
  }
  step "b" {
    image   = "steps:1"
    command = [local.text, local.text]
  }
}
