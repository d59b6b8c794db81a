model "digits" {
  image = "digits:1"
  env { # ERROR: Argument expected :: with an equals sign: env = {
    A = "1"
  }
}
