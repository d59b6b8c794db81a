model "digits" {
  image   = "digits:1"
  secrets = { token = "hunter2" } # ERROR: Secret expected :: write secret.NAME
}
