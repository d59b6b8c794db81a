version "digits@1.2.0" {
  artifact = "oci://local/digits@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-21"
}
model "digits" {
  image    = "a:1"
  version  = "1.2.0"
  artifact = "oci://local/digits@sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35" # ERROR: Artifact is not that of version :: version_of_another_artifact.hcl:1
}
