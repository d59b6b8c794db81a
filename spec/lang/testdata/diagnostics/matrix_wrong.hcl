pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image  = "steps:1"
    matrix = { a = 3 } # ERROR: Wrong type :: a list of values in brackets
  }
  step "b" {
    image  = "steps:1"
    matrix = { a = [] } # ERROR: Empty list
  }
  step "c" {
    image  = "steps:1"
    matrix = { a = [1, 1] } # ERROR: Duplicate value
  }
  step "d" {
    image  = "steps:1"
    matrix = { a = [[1]] } # ERROR: Wrong type :: a string, a number or a bool
  }
  step "e" {
    image  = "steps:1"
    matrix = [1] # ERROR: Wrong type :: map of lists
  }
  step "f" {
    image  = "steps:1"
    matrix = {} # ERROR: Empty matrix
  }
  step "g" {
    image  = "steps:1"
    matrix = { "a b" = [1] } # ERROR: Invalid name
  }
}
