model "digits" {
  image = "digits:1"
}
approval "digit" { # WARNING: Approval without model :: Did you mean digits?
  revision = "4f2a90b1c2d3"
  step     = 1
}
