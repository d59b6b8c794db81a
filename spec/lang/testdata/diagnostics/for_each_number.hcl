model "digits" {
  for_each = 3 # ERROR: Wrong type :: takes a map, or a set of strings
  image    = "digits:1"
}
