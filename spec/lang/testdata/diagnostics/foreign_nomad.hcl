job "digits" { # ERROR: File of another tool :: Nomad
}
