pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  on = [change]
  param "a" {
    type    = number
    default = "3" # ERROR: Wrong type :: of the type number
  }
  param "b" {
    default = [1] # ERROR: Wrong type :: a string, a number or a bool
  }
  param "c" { # ERROR: Parameter without value :: nobody gives
  }
}
