model "digits" {
  for_each = toset(["EU"]) # ERROR: Invalid for_each key :: a-z, 0-9
  image    = "digits:1"
}
