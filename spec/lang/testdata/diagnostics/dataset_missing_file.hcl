dataset "a" {
  source = "data/digit.csv" # ERROR: No such file :: Did you mean data/digits.csv?
}
dataset "b" {
  source = "/data/digits.csv" # ERROR: Invalid path :: cannot lead out of it
}
