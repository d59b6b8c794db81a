secret "token" {
  env = "TOKEN"
}
model "digits" {
  image = "digits:1"
  env   = { URL = "http://x?token=${secret.token}" } # ERROR: Secret used as text :: cannot become part of one
}
