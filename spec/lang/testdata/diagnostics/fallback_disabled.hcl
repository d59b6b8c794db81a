model "small" {
  image   = "digits:1"
  enabled = false
}
model "digits" {
  image = "digits:1"
  route {
    path     = "/x"
    fallback = model.small # ERROR: Disabled model :: not enabled in the environment default
  }
}
