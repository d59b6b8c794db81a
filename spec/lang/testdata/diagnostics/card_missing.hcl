model "a" {
  image = "a:1"
  card  = "data/crad.md" # ERROR: No such file :: Did you mean data/card.md?
}
model "b" {
  image = "a:1"
  card  = "../card.md" # ERROR: Invalid path
}
