model "digits" {
  image = "digits:1"
}
model "digits" { # ERROR: Duplicate block :: duplicate_model.hcl:1
  image = "digits:2"
}
