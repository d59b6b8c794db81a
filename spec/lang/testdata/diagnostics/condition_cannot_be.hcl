pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "a" {
    require = jsondecode(step.train.reason) == 1 # ERROR: Function cannot take facts :: jsondecode()
  }
  gate "b" {
    require = lenght(step.train.reason) == 1 # ERROR: Unknown function :: Did you mean length?
  }
  gate "c" {
    require = abs(step.train.metrics.a, 2) > 1 # ERROR: Wrong number of arguments :: takes 1 argument
  }
  gate "d" {
    require = alltrue([for m in step.train.metrics : m > 1]) # ERROR: Loop over facts
  }
  gate "e" {
    require = length(step.train.metrics[*]) > 1 # ERROR: Loop over facts
  }
  gate "f" {
    require = regex("(", step.train.reason) # ERROR: Invalid pattern
  }
  gate "s" {
    require = semver(step.train.reason, "at least 3") # ERROR: Invalid version constraint :: >= 1.2
  }
  gate "t" {
    require = semver(step.train.reason, ">= 1.2, < 2.0")
  }
  gate "g" {
    require = (1 > 2 ? true : step.train.metrics.x) > local.nope # ERROR: Unknown local
  }
  gate "h" {
    require = max([1, "a"]...) > step.train.metrics.x # ERROR: Invalid function argument
  }
}
