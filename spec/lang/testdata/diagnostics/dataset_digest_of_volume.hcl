dataset "a" {
  source = "volume://raw"
  digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a" # ERROR: Contradictory arguments
}
dataset "b" {
  source = "oci://localhost/x@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  digest = "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35" # ERROR: Digest does not match
}
