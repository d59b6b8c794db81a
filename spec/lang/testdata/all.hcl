# Every block and every argument of the language once.

fairlead {
  required_version = ">= 0.1, < 2.0"
}

variable "registry" {
  type        = string
  default     = "localhost:5000"
  description = "Where the images are."
}

variable "sizes" {
  type    = map(number)
  default = { eu = 2, us = 1 }
}

locals {
  team   = "@vision"
  labels = [for k, v in var.sizes : "${k}=${v}"]
}

secret "token" {
  file = "/etc/fairlead/token"
}

secret "key" {
  for_each = toset(["eu", "us"])
  env      = "KEY_${upper(each.key)}"
}

secret "note" {
  enabled = env.name == "prod"
  age     = file("data/note.age")
}

model "small" {
  image = "${var.registry}/small:1"
}

model "digits" {
  enabled     = true
  for_each    = var.sizes
  description = "Reads digits in ${each.key}."
  owners      = [local.team, "@ops"]
  version     = "1.10"
  image       = "${var.registry}/digits:1.1.0"
  protocol    = http
  port        = 9000
  replicas    = each.value
  entrypoint  = ["/server"]
  command     = ["--threads", 2]
  env = {
    LABELS = join(",", local.labels)
    HOME   = "$${HOME}"
    KEY    = secret.key[each.key]
    TOKEN  = secret.token
    OF     = model.small.image
    RATE   = "%%{x}"
  }
  secrets      = { token = secret.token, "key.pem" = secret.key["eu"] }
  user         = "1000:1000"
  read_only    = true
  restart      = on_failure
  stop_timeout = "1m30s"
  devices      = ["/dev/fuse"]
  capabilities = ["NET_ADMIN"]
  privileged   = false
  network      = host

  resources {
    cpus   = 1.5
    memory = "2GiB"
    shm    = "64MB"
    pids   = 100
    gpus   = ["0", "1"]
    ulimit "nofile" {
      soft = 1024
      hard = 2048
    }
    ulimit "memlock" {
      soft = -1
    }
  }

  logs {
    max_size  = "1.5MiB"
    max_files = 2
  }

  mount "/cache" {
    type      = volume
    source    = "weights"
    read_only = true
  }
  mount "/host" {
    type   = bind
    source = "/srv"
  }
  mount "/tmp" {
    type = tmpfs
    size = "64MiB"
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
  }

  health {
    path        = "/healthz"
    interval    = "500ms"
    timeout     = "200ms"
    min_healthy = "2s"
    deadline    = "2m"
  }

  metrics {
    path     = "/stats"
    port     = 9090
    interval = "10s"
  }

  warmup {
    request = "hello"
    count   = 3
  }

  route {
    host     = "${each.key}.example.com"
    path     = "/digits/"
    strip    = true
    timeout  = "2s"
    fallback = model.small
    limit {
      rate        = 12.5
      burst       = 100
      concurrency = 20
    }
    auth {
      api_keys = [secret.token, secret.key[each.key]]
      jwt {
        issuer   = "https://login.example.com"
        audience = "models"
        keys     = file("data/jwks.json")
      }
    }
  }
  route {
    path     = "/${each.key}"
    fallback = model.digits["eu" == each.key ? "us" : "eu"]
  }

  rollout {
    strategy          = ab
    progress_deadline = "2h"
    keep_previous     = "2d"
    velocity          = queue_latest
    on_failure        = hold
    on_deadline       = rollback

    match {
      header = "X-Tester"
      value  = "yes"
    }
    step {
      weight   = 5
      hold     = "2m"
      replicas = 1
      checks   = [check.errors, check.accuracy]
    }
    step {
      weight   = 50
      approval = true
    }
    check "errors" {
      metric        = error_ratio
      max           = 0.01
      interval      = "30s"
      failure_limit = 1
      min_samples   = 100
    }
    check "latency" {
      metric        = latency_p99
      min_vs_stable = 0.5
      max_vs_stable = 1.2
    }
    check "accuracy" {
      query = "digits_accuracy{revision=\"$candidate\"}"
      min   = 0.95
    }
  }
}

model "scores" {
  image = "scores:1"
  signature {
    input "x" {
      datatype = FP32
      shape    = [-1]
    }
    output "label" {
      datatype = BYTES
      shape    = [-1]
    }
    output "score" {
      datatype = FP32
      shape    = [-1]
    }
  }
  route {
    path = "/scores"
    limit {
      rate = 12.5
    }
  }
  metrics {}
  rollout {
    strategy = shadow
    mirror {
      percent   = 20
      tolerance = 0.01
    }
    check "answers" {
      metric = shadow_agreement
      min    = 0.99
    }
    check "scores" {
      metric = score_shift
      output = "score"
      max    = 0.1
    }
  }
}

model "users" {
  image = "users:1"
  rollout {
    sticky {
      header = "X-User"
    }
  }
}

model "callers" {
  image    = "callers:1"
  protocol = http
  health {
    path = "/"
  }
  route {
    path = "/callers"
  }
  rollout {
    strategy = ab
    match {
      cookie = "tester"
      value  = "yes"
    }
    sticky {
      cookie = "side"
    }
  }
}

simulation "errors" {
  enabled  = true
  for_each = var.sizes
  model    = model.digits[each.key]
  rate     = 12.5 * each.value

  stable {
    error_ratio = 0.001
    latency     = "15ms"
    spread      = 0.2
  }
  candidate {
    error_ratio = 0.05
    latency     = "30ms"
    spread      = 0.4
    shift       = -0.5
    agreement   = 0.98
  }
}

moved {
  from = model.numbers["eu"]
  to   = model.digits["eu"]
}

removed {
  from    = model.letters
  destroy = false
}

environment "prod" {
  locals {
    team = "@prod"
  }
  variable "registry" {
    default = "registry.example.com"
  }
  secret "token" {
    file = "/etc/prod/token"
  }
  model "digits" {
    command = null
    resources {
      memory = "4GiB"
      gpus   = all
    }
    rollout {
      check "errors" {
        max = 0.02
      }
    }
  }
}

environment "staging" {
  simulation "errors" {
    candidate {
      error_ratio = 0.02
    }
  }
  model "scores" {
    metrics {
      port = 9090
    }
    rollout {
      mirror {
        percent = 50
      }
      check "scores" {
        output = null
      }
    }
  }
  model "users" {
    rollout {
      sticky {
        header = null
        cookie = "side"
      }
    }
  }
}
