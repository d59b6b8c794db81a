model "digits" {
  image = local.image # ERROR: Unknown local :: Define it
}
