locals {
  x = "1" == 1 # WARNING: Comparison of unlike types :: never equal
}
