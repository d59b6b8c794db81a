include "team-a" { # ERROR: Overlapping prefixes :: team-
  repo = "https://git.example.com/a.git"
}
include "team-a-b" { # ERROR: Overlapping prefixes :: team-
  # ERROR@4: Overlapping prefixes :: team_a_
  repo = "https://git.example.com/b.git"
}
include "dashes" {
  repo   = "https://git.example.com/b.git"
  prefix = "team-"
}
