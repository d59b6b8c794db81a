model "digits" {
  image = "digits:1"
  env   = { DIR = "${HOME}/x" } # ERROR: Unknown reference :: $${HOME}
}
