model "a" {
  image = "a:1"
  rollout {
    sticky {
      cookie = "a b" # ERROR: Invalid name :: No cookie can have this name
    }
  }
}
