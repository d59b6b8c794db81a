model "a" {
  image = "a:1"
  resources {
    gpus = "all" # ERROR: Wrong type :: gpus = all
  }
}
