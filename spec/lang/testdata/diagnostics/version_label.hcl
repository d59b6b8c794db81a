version "digits-1.2.0" { # ERROR: Invalid label :: MODEL@VERSION
  artifact = "oci://local/digits@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-21"
}
version "digits@v1" { # ERROR: Invalid label :: without a leading v
  artifact = "oci://local/digits@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-21"
}
version "digits@1.0.0" { # ERROR: Missing argument :: created
  artifact   = "oci://local/digits:1" # ERROR: Invalid artifact
  metrics    = { a = "1" } # ERROR: Wrong type :: a number
  params     = { a = [] }  # ERROR: Wrong type
  definition = "{"         # ERROR: Invalid JSON
  gate "g" {
    outcome = "pased" # ERROR: Unknown outcome :: Did you mean passed?
  }
}
