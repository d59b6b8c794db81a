model "digits" {
  image = "digits:1"
  resource { # ERROR: Unknown block :: Did you mean resources?
    cpus = 1
  }
}
