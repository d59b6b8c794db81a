model "a" {
  image = "a:1"
  rollout {
    step {
      weight = 0.5 # ERROR: Number not whole :: whole number of percent
    }
  }
}
