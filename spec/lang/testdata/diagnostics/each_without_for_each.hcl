model "digits" {
  image = "digits:${each.key}" # ERROR: No instances here :: only in a block with for_each
}
