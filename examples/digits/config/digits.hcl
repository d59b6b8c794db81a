# The config repo of the example: what it says is what serves. This file has the
# model, and how a new version takes over; training.hcl says how versions are made.

variable "registry" {
  type        = string
  default     = ""
  description = "Where the images are, with a slash at the end; empty for those of the engine itself."
}

model "digits" {
  description = "Reads handwritten digits, 8x8 pixels."
  owners      = ["@vision"]
  license     = "Apache-2.0"
  card        = "model-card.md"
  version     = "1.0.0"
  image       = "${var.registry}digits:1.0.0"
  protocol    = open_inference
  port        = 8080
  replicas    = 2
  read_only   = true

  # The weights of an artifact do not know which version they became.
  # LINGER is how long a stopped server answers as "not ready". Fairlead drains a
  # replica before it stops it, so there is nothing to wait for.
  env = {
    MODEL_VERSION = model.digits.version
    THREADS       = "1"
    LINGER        = "0s"
  }

  # Small, so that the engine of a laptop has room for three releases at once: the
  # one that serves, the next, and the one before, which is kept for a while.
  resources {
    cpus   = 0.2
    memory = "64MiB"
    pids   = 64
  }

  signature {
    input "pixels" {
      datatype = FP32
      shape    = [-1, 64]
    }
    output "digit" {
      datatype = INT64
      shape    = [-1]
    }
    output "probabilities" {
      datatype = FP32
      shape    = [-1, 10]
    }
  }

  health {
    path        = "/v2/health/ready"
    interval    = "1s"
    timeout     = "500ms"
    min_healthy = "1s"
    deadline    = "30s"
  }

  warmup {
    request = file("warmup/digits.json")
    count   = 20
  }

  route {
    path    = "/digits"
    strip   = true
    timeout = "2s"
  }

  # Times are short, so that the demo can be watched; a service with this traffic
  # would hold each step for minutes.
  rollout {
    strategy = canary

    step {
      weight = 10
      hold   = "10s"
    }
    step {
      weight = 50
      hold   = "10s"
    }

    check "errors" {
      metric      = error_ratio
      max         = 0.01
      interval    = "2s"
      min_samples = 50
    }

    # Of few requests the slowest percent is a matter of luck, so twice as slow is
    # let pass.
    check "latency" {
      metric        = latency_p99
      max_vs_stable = 2
      interval      = "2s"
      min_samples   = 50
    }

    # A model that reads wrongly answers as fast and with as few errors as a good
    # one. But it reads other digits: those of two good versions are spread alike
    # within a hundredth.
    check "digits" {
      metric      = score_shift
      output      = "digit"
      max         = 0.15
      interval    = "2s"
      min_samples = 50
    }

    progress_deadline = "2m"
    keep_previous     = "1m"
  }
}
