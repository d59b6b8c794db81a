secret "token" {
  env = "TOKEN"
}
model "digits" {
  image   = "digits:1"
  secrets = { "../token" = secret.token } # ERROR: Invalid name :: no path
}
