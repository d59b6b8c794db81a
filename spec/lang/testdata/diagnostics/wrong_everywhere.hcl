model "a" {
  image    = "A B" # ERROR: Invalid image
  replicas = -1    # ERROR: Value out of range
  prot     = http  # ERROR: Unknown argument
  health {
    interval = "often" # ERROR: Invalid duration
  }
  route {
    path = var.nope # ERROR: Unknown variable
  }
}
