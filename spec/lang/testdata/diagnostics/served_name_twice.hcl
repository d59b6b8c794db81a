model "digits" {
  for_each = toset(["eu"])
  image    = "digits:1"
}
model "digits-eu" { # ERROR: Duplicate name :: would both be served as "digits-eu"
  image = "digits:1"
}
