model "a" {
  image = "a:1"
  health {
    min_healthy = "2m" # ERROR: Contradictory values :: no replica could ever be ready
    deadline    = "1m"
  }
}
