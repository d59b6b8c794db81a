# environment: prod
model "digits" {
  image = "digits:1"
}
approval "digits" {
  revision = "4F2A" # ERROR: Invalid revision :: lower case
  step     = 0      # ERROR: Value out of range :: from 1 to 1000
  started  = "now"  # ERROR: Invalid time :: when the rollout began
}
approval "digits" {
  revision    = "4f2a90b1c2d3"
  step        = 1
  environment = environment.prd # ERROR: Unknown environment :: Did you mean prod?
}
approval "digits" {
  revision    = "4f2a90b1c2d3"
  step        = 2
  environment = "prod" # ERROR: Reference in quotes :: environment.prod
}
environment "prod" {
}
