dataset "a" {
  source    = "data/digits.csv"
  collected = "July 1998"  # ERROR: Invalid time :: "2026-11-21"
  license   = "do as you like" # ERROR: Invalid licence :: SPDX
  labels    = { a = [1] }  # ERROR: Wrong type
}
