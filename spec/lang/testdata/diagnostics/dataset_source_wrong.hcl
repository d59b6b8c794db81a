dataset "a" {
  source = "s3://bucket/key" # ERROR: Invalid source :: https://..., oci://...
}
dataset "b" {
  source = "oci://localhost:5000/data" # ERROR: Invalid source :: Add :TAG
}
dataset "c" {
  source = "https://user:pw@example.com/x.csv" # ERROR: Invalid source :: a password
  digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
}
dataset "d" {
  source = "https://example.com/" # ERROR: Invalid source :: the name of a file
  digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
}
dataset "e" {
  source = "volume:///x" # ERROR: Invalid source :: volume://NAME
}
dataset "f" {
  source = "oci://localhost:5000/data:1"
}
