secret "clear" {
  sops = "data/digits.json" # ERROR: Secret in clear :: sops encrypt --in-place
}
secret "missing" {
  sops = "data/digit.json" # ERROR: No such file :: Did you mean data/digits.json?
}
secret "key" {
  env = "X"
  key = "db.password" # ERROR: Contradictory arguments :: Only a file encrypted
}
secret "dots" {
  sops = "data/sops.yaml"
  key  = "db..password" # ERROR: Invalid key :: dots between
}
secret "out" {
  sops = "../x.yaml" # ERROR: Invalid path :: no ..
}
secret "two" { # ERROR: One source needed :: file, env, age and sops
  sops = "data/sops.yaml"
  env  = "X"
}
