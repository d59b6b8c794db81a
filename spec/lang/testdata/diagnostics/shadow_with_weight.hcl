model "a" {
  image = "a:1"
  rollout {
    strategy = shadow
    step {
      weight = 10 # ERROR: Contradictory values :: the candidate answers nobody
    }
  }
}
