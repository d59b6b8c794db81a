model "digits" {
  image   = "digits:1"
  command = ["--threads", true] # ERROR: Wrong type :: one of its elements is a bool
}
