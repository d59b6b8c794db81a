dataset "a" {
  source = "data/digits.csv"
  digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a" # ERROR: Digest does not match :: found sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35
}
dataset "b" {
  source = "data/digits.csv"
  digest = "46abec" # ERROR: Invalid digest :: sha256sum
}
