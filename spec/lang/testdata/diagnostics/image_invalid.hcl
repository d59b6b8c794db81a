model "a" {
  image = "Registry/Digits:1" # ERROR: Invalid image :: in lower case
}
