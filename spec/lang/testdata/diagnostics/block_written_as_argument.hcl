model "digits" {
  image     = "digits:1"
  resources = { cpus = 1 } # ERROR: Block expected :: without the equals sign
}
