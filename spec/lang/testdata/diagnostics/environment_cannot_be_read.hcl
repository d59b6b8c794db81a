model "digits" {
  image = "digits:${env.HOME}" # ERROR: Unknown reference :: declare a variable
}
