pipeline "p" { # ERROR: Too many containers :: 5000 containers
  step "s0" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 1000
      maximize = "a"
      dimension "x" {
        values = [1, 2]
      }
    }
  }
  step "s1" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 1000
      maximize = "a"
      dimension "x" {
        values = [1, 2]
      }
    }
  }
  step "s2" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 1000
      maximize = "a"
      dimension "x" {
        values = [1, 2]
      }
    }
  }
  step "s3" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 1000
      maximize = "a"
      dimension "x" {
        values = [1, 2]
      }
    }
  }
  step "s4" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 1000
      maximize = "a"
      dimension "x" {
        values = [1, 2]
      }
    }
  }
}
