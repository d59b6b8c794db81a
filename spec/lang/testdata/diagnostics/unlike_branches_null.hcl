model "m" {
  image    = "m:1"
  replicas = null
  port     = [] # ERROR: Wrong type :: Write a number
}
