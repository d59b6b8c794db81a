trust {
  mode = off
  review "none" { # ERROR: Review of nobody :: approvals = 1
    paths = ["models/**"]
  }
  review "few" {
    approvals = 3 # ERROR: Too few reviewers :: 2 people
    from      = ["@vision", "@ann"]
  }
  review "paths" {
    approvals = 1
    paths = [
      "/models/**", # ERROR: Invalid pattern :: no leading /
      "models/[a",  # ERROR: Invalid pattern :: not closed
      "models/",    # ERROR: Invalid pattern :: models/**
      "../x",       # ERROR: Invalid pattern :: no ..
    ]
    from = ["vision"] # ERROR: Invalid name :: written with @
  }
  review "empty" {
    approvals = 1
    paths     = [] # ERROR: Empty list :: about all paths
    from      = [] # ERROR: Empty list :: nobody could approve
  }
  group "vision" {
    members = ["ann", "ben", "ann"]
  }
  group "nobody" {
    members = [] # ERROR: Empty list :: never approve
  }
  group "at" {
    members = ["@ann"] # ERROR: Invalid login :: without @
  }
}
