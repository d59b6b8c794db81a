# What people outside depend on. version and image are written here again, so that
# prod moves by itself: "promote" below proposes to change these very lines.
environment "prod" {
  model "digits" {
    version  = "1.2.2"
    image    = "registry.example.com/vision/digits:1.2.2@sha256:4f2a90b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d"
    replicas = 3

    rollout {
      step {
        weight = 5
        hold   = "15m"
      }
      # Here the rollout waits. Fairlead opens a pull request with the figures of the
      # checks so far, and merging it is the approval.
      step {
        weight   = 25
        hold     = "15m"
        approval = true
      }
      step {
        weight = 50
        hold   = "15m"
      }
      progress_deadline = "4h"
    }
  }
  model "fraud" {
    version  = "7.0.1"
    image    = "registry.example.com/risk/fraud:7.0.1@sha256:0d7f4e9ea5a0a5e2b4ba5cc5c3a6e91a6d6a0a4a4c9a3d5c2f7a1e0b9c8d7e6f"
    replicas = 4

    rollout {
      step {
        weight   = 5
        hold     = "30m"
        approval = true
      }
      step {
        weight = 50
        hold   = "30m"
      }
      progress_deadline = "8h"
    }
  }
}

promote "prod" {
  from    = environment.staging
  after   = "24h"
  require = [from.outcome == "promoted", !from.rejected]
}
