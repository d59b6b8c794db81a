model "none" {
  image = "a:1"
  update { # ERROR: One source needed :: exactly one
  }
}
model "both" {
  image = "a:1"
  update { # ERROR: One source needed :: exactly one
    range = "~1.2"
    tag   = "latest"
  }
}
model "range" {
  image = "a:1"
  update {
    range = "latest" # ERROR: Invalid version constraint :: write tag
  }
}
model "number" {
  image = "a:1"
  update {
    range = 1.2 # ERROR: Wrong type :: quotes
  }
}
model "tag" {
  image = "a:1"
  update {
    tag      = "a b" # ERROR: Invalid tag :: letters
    interval = "10s" # ERROR: Value out of range :: from 1m to 30d
  }
}
