model "a" {
  image = "a:1"
  mount "/cache" {
    type   = tmpfs
    source = "cache" # ERROR: Contradictory arguments :: has no source
  }
}
