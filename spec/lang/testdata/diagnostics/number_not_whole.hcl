model "digits" {
  image    = "digits:1"
  replicas = 1.5 # ERROR: Number not whole :: replicas takes a whole number
}
