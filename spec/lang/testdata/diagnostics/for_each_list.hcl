model "digits" {
  for_each = ["eu", "us"] # ERROR: Wrong type :: Write toset(
  image    = "digits:1"
}
