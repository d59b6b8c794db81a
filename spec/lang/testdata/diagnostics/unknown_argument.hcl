model "digits" {
  image   = "digits:1"
  replica = 2 # ERROR: Unknown argument :: Did you mean replicas?
}
