model "digits" {
  image = "digits:${var}" # ERROR: Incomplete reference :: var.NAME
}
