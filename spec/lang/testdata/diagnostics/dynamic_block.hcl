model "digits" {
  image = "digits:1"
  dynamic "route" { # ERROR: Unknown block :: There are no dynamic blocks
    for_each = []
  }
}
