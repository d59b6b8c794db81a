model "a" {
  image = "a:1"
  rollout {
    sticky { # ERROR: One source needed :: exactly one of the two
      cookie = "side"
    }
  }
}
# environment: prod
environment "prod" {
  model "a" {
    rollout {
      sticky {
        header = "X-User"
      }
    }
  }
}
