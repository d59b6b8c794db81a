model "digits" {
  for_each = toset([each.key]) # ERROR: No instances here :: not in its enabled and for_each
  image    = "digits:1"
}
