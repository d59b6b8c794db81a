model "a" {
  image = "a:1"
  health {
    interval = "1s"
    timeout  = "5s" # ERROR: Contradictory values :: Make it 1s or less
  }
}
