model "a" {
  image    = "a:1"
  artifact = "oci://localhost:5000/a:1" # ERROR: Artifact without digest :: fairlead model versions a
}
model "b" {
  image    = "a:1"
  artifact = "weights.bin" # ERROR: Invalid artifact :: oci://HOST/REPOSITORY@sha256:DIGEST
}
model "c" {
  image         = "a:1"
  artifact      = "oci://local/a@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  artifact_path = "/usr" # ERROR: Reserved path
}
model "d" {
  image    = "a:1"
  artifact = "oci://local/a@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  mount "/mnt/model" { # ERROR: Reserved path :: another artifact_path
    type = tmpfs
  }
}
model "e" {
  image         = "a:1"
  artifact_path = "/models" # ERROR: Contradictory arguments :: Write artifact too
}
model "f" {
  image         = "a:1"
  artifact      = "oci://local/a@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  artifact_path = "models" # ERROR: Path not absolute
}
