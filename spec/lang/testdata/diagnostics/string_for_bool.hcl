model "digits" {
  image     = "digits:1"
  read_only = "true" # ERROR: Wrong type :: Write true or false, without quotes
}
