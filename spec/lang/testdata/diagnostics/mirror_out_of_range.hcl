model "a" {
  image = "a:1"
  rollout {
    strategy = shadow
    mirror {
      percent   = 0 # ERROR: Value out of range :: from 1 to 100
      tolerance = 2 # ERROR: Value out of range :: from 0 to 1
    }
  }
}
