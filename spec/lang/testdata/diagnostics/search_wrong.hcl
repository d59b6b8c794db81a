pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image = "steps:1"
    search { # ERROR: Step without metrics :: A search learns
      trials   = 3
      maximize = "accuracy"
      dimension "rate" {
        min = 1
        max = 1 # ERROR: Contradictory values :: min must be below max
      }
      dimension "log" {
        min = 0 # ERROR: Contradictory values :: only above 0
        max = 1
        log = true
      }
      dimension "whole" { # ERROR: Number not whole
        min     = 0.5
        max     = 1
        integer = true
      }
      dimension "both" {
        min    = 0 # ERROR: Contradictory arguments :: a list of values, or a range
        values = ["a"]
      }
      dimension "none" {} # ERROR: Missing argument :: needs min and max
    }
  }
  step "b" {
    image   = "steps:1"
    metrics = "m.json"
    search { # ERROR: Nothing to search :: dimension
      trials   = 3
      maximize = "accuracy"
    }
  }
}
