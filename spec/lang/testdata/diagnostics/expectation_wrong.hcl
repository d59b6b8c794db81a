dataset "a" {
  source = "data/digits.csv"
  expect "row" { # ERROR: Unknown expectation :: Did you mean rows?
    min = 1
  }
  expect "rows" { # ERROR: Expectation of nothing
  }
  expect "rows" {
    min    = 3
    max    = 2 # ERROR: Contradictory values
    unique = true # ERROR: Contradictory arguments :: min and max only
  }
  expect "column" { # ERROR: Missing argument :: name
    min = 0
  }
  expect "column" { # ERROR: Contradictory arguments :: string
    name    = "x"
    type    = string
    min     = 0
    pattern = "(" # ERROR: Invalid pattern
  }
}
