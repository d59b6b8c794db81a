include "team-a" { # ERROR: Include without files :: nothing is changed
  repo = "https://git.example.com/a.git"
  path = "x"
}
include "b" { # ERROR: Include without files :: nothing is changed
  repo   = "http://git.example.com/a.git" # WARNING: Not encrypted :: https://
  prefix = "b-"
}
model "team_a_x" { # ERROR: Name of an include :: team-a
  image = "x:1"
}
model "b" { # ERROR: Name of an include :: another name
  for_each = toset(["x"])
  image    = "x:1"
}
