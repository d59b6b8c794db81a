# The config repo of the example: what it says is what serves.
# Two lines change from one version of the model to the next.

variable "registry" {
  type        = string
  default     = ""
  description = "Where the images are, with a slash at the end; empty for those of the engine itself."
}

model "digits" {
  description = "Reads handwritten digits, 8x8 pixels."
  owners      = ["@vision"]
  version     = "1.0.0"
  image       = "${var.registry}digits:1.0.0"
  protocol    = open_inference
  port        = 8080
  replicas    = 2
  read_only   = true

  # LINGER is how long a stopped server answers as "not ready". Fairlead drains a
  # replica before it stops it, so there is nothing to wait for.
  env = {
    THREADS = "1"
    LINGER  = "0s"
  }

  resources {
    cpus   = 0.5
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
}
