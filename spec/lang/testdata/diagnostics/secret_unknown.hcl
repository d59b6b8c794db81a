model "digits" {
  image   = "digits:1"
  secrets = { token = secret.token } # ERROR: Unknown secret :: Declare it
}
