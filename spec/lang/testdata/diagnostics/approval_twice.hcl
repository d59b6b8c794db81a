model "digits" {
  image = "digits:1"
}
approval "digits" {
  revision = "4f2a90b1c2d3"
  step     = 1
}
approval "digits" {
  revision = "4f2a90b1c2d3"
  step     = 2
}
approval "digits" { # ERROR: Duplicate approval :: approval_twice.hcl:4
  revision = "4f2a90b1c2d3"
  step     = 1
}
