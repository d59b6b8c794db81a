secret "token" {
  env = "TOKEN"
}
model "digits" {
  image = "digits:1"
  env   = { URL = "http://x?token=${secret.token}" } # ERROR: Secret outside of env and secrets :: cannot become part of one
}
