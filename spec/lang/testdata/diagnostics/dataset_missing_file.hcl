dataset "a" {
  source = "data/digit.csv" # ERROR: No such file :: Did you mean data/digits.csv?
}
dataset "c" {
  source = "data/lfs.csv" # ERROR: Data is elsewhere :: Git LFS
}
dataset "b" {
  source = "/data/digits.csv" # ERROR: Invalid path :: cannot lead out of it
}
