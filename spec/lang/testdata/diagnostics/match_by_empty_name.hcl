model "a" {
  image = "a:1"
  rollout {
    strategy = ab
    match {
      header = "" # ERROR: Invalid name :: No header can have this name
      value  = "yes"
    }
  }
}
