version "digits@1.2.0" {
  artifact = "oci://local/digits@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-21"
}
version "digits@1.2.0" { # ERROR: Duplicate block :: version_twice.hcl:1
  artifact = "oci://local/digits@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-21"
}
