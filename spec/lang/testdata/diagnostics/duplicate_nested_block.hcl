model "digits" {
  image = "digits:1"
  health {
    interval = "2s"
  }
  health { # ERROR: Duplicate block :: It may stand once
    deadline = "2m"
  }
}
