model "digits" {
  image    = "digits:1"
  replicas = "2" # ERROR: Wrong type :: Write the number without quotes
}
