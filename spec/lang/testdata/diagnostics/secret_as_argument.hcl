secret "token" {
  env = "TOKEN"
}
model "digits" {
  image       = "digits:1"
  description = secret.token # ERROR: Wrong type :: Secrets can stand in env, secrets and api_keys only
}
