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

secret "db" {
  sops = "data/sops.yaml"
  key  = "db.password"
}

model "small" {
  image = "${var.registry}/small:1"
  update {
    range    = "~1.2 || ^2"
    interval = "90m"
  }
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
  update {
    tag = "latest"
  }
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
  notifier "oncall" {
    events = [run_failed]
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

dataset "digits" {
  enabled     = true
  description = "Optical digits."
  owners      = [local.team]
  source      = "data/digits.csv"
  digest      = "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"
  license     = "CC-BY-4.0"
  collected   = "1998-07-01"
  region      = "TR"
  personal    = false
  labels      = { doi = "10.24432/C50P49", of = env.name }

  table {
    file    = "digits.csv"
    format  = csv
    headers = ["p0", "label"]
  }
  expect "rows" {
    min = 1500
    max = 1e6
  }
  expect "column" {
    name    = "label"
    type    = integer
    min     = 0
    max     = 9
    missing = 0
    unique  = false
    values  = ["0", "1"]
    pattern = "[0-9]+"
  }
  expect "column" {
    name   = "p0"
    unique = true
  }
}

dataset "region" {
  for_each = var.sizes
  source   = "oci://${var.registry}/data/${each.key}:latest"
}

dataset "web" {
  source = "https://example.com/data/web.tsv.gz?x=1"
  digest = "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"
}

dataset "volume" {
  source = "volume://raw"
}

model "trained" {
  image         = "server@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  version       = "1.2.0"
  artifact      = "oci://local/trained@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  artifact_path = "/models/trained"
  card          = "data/card.md"
  license       = "Apache-2.0"
  route {
    path = "/trained"
  }
}

pipeline "train" {
  enabled     = true
  for_each    = toset(["eu", "us"])
  description = "Trains for ${each.key}."
  owners      = [local.team]
  on          = [change, dataset.digits, dataset.region[each.key], drift, manual]
  concurrency = replace
  parallel    = 2
  timeout     = "1h"

  schedule {
    cron   = "0 3 * * 1"
    zone   = "Europe/Berlin"
    missed = skip
    jitter = "5m"
  }
  param "test_share" {
    type        = number
    default     = 0.2
    description = "How much is for the test."
  }
  param "full" {
    default = true
  }
  param "note" {
    default = "a"
  }

  step "split" {
    image   = "${var.registry}/steps:1"
    inputs  = { data = dataset.digits, region = dataset.region[each.key], "web" = dataset.web, raw = dataset.volume }
    outputs = ["train", "test", "profile"]
    env = {
      TEST_SHARE = param.test_share
      TOKEN      = secret.token
      TEXT       = "x-${param.test_share}-${each.key}-${2}"
      KEY        = secret.key[each.key]
      NAME       = upper(each.key)
      REGION     = "a$${b}"
      DIGEST     = dataset.region[each.key].digest
      OF         = model.trained.version
      BOTH       = param.full ? "y" : lower("N")
      MAYBE      = env.name == "prod" ? param.note : null
    }
    command = ["split", "--share", param.test_share, 3, true]
  }
  step "train" {
    image        = "steps:1"
    entrypoint   = ["/train"]
    inputs       = { data = step.split.train }
    matrix       = { hidden = [32, 64, 128], seed = [1, 2], kind = ["a"], bias = [true, false] }
    env          = merge({ A = "1" }, { HIDDEN = matrix.hidden, LIVE = try(live.trained.metrics["accuracy"], 0) })
    command      = concat(["--rate"], [matrix.seed * 2 + 1])
    outputs      = ["model"]
    metrics      = "metrics.json"
    retries      = 2
    retry_on     = [engine, exit, oom, timeout, output, metrics]
    backoff      = "1s"
    max_backoff  = "1m"
    timeout      = "20m"
    when         = param.test_share < 0.5 && !(param.note == "b")
    after        = [step.clean]
    cache        = false
    max_age      = null
    network      = true
    max_log      = "1MiB"
    max_output   = "1GiB"
    secrets      = { token = secret.token }
    user         = "1000"
    read_only    = false
    stop_timeout = "1s"
    devices      = ["/dev/fuse"]
    capabilities = ["NET_ADMIN"]
    privileged   = false
    resources {
      cpus   = 1
      memory = "512MiB"
      shm    = "64MiB"
      pids   = 64
      gpus   = 1
      ulimit "nofile" {
        soft = 1024
        hard = 2048
      }
    }
    logs {
      max_size  = "1MiB"
      max_files = 2
    }
    mount "/cache" {
      type      = volume
      source    = "cache"
      read_only = true
    }
    mount "/scratch" {
      type = tmpfs
      size = "64MiB"
    }
  }
  step "clean" {
    image   = "steps:1"
    max_age = "30d"
  }
  step "tune" {
    image   = "steps:1"
    inputs  = { data = step.split.train }
    outputs = ["model"]
    metrics = "m/metrics.json"
    env     = { RATE = matrix.rate }
    search {
      method   = random
      trials   = 20
      parallel = 2
      seed     = 1
      minimize = "loss"
      dimension "rate" {
        min     = 0.0001
        max     = 0.1
        log     = true
        integer = false
      }
      dimension "units" {
        min     = 1
        max     = 8
        integer = true
      }
      dimension "kind" {
        values = ["relu", "tanh"]
      }
    }
  }
  step "search" {
    image   = "steps:1"
    metrics = "m.json"
    search {
      trials   = 3
      maximize = "accuracy"
      dimension "kind" {
        values = [1, 2]
      }
    }
  }
  step "evaluate" {
    image   = "steps:1"
    inputs  = { model = select.best.model, data = step.split.test }
    metrics = "eval.json"
    env     = { BEST = select.tuned.values.rate }
  }
  step "notify" {
    image = "steps:1"
    exit  = true
    env   = { OUTCOME = run.outcome, REASON = run.reason, RUN = run.id }
  }
  select "best" {
    of       = step.train
    maximize = "accuracy"
  }
  select "tuned" {
    of       = step.tune
    minimize = "loss"
  }
  gate "good_enough" {
    require    = step.evaluate.metrics.accuracy >= 0.95
    level      = soft
    message    = "Train longer."
    regulation = "EU AI Act, Art. 15"
  }
  gate "no_regression" {
    require = (
      step.evaluate.metrics.accuracy
      >= live.digits[each.key].metrics.accuracy - 0.005
    )
  }
  gate "listed" {
    require = alltrue([contains(["a", "b"], param.note), length(model.trained.owners) > 0, model.trained.routes[0].path != ""])
    level   = advisory
  }
  publish {
    model     = model.trained
    artifact  = select.best.model
    version   = minor
    metrics   = step.evaluate
    profile   = step.split.profile
    card      = "data/card.md"
    registry  = "oci://localhost:5000/models/trained"
    tolerance = 0.001
    tags      = true
  }
}

pipeline "versioned" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "m.json"
  }
  publish {
    model    = model.trained
    artifact = step.train.model
    version  = "${step.train.metrics.major}.0.0"
  }
}

policy "owned" {
  enabled     = true
  for_each    = toset(["a"])
  description = "Somebody answers for every model."
  for         = model
  where       = env.name == "prod" && model.name != each.key
  require     = length(model.owners) > 0
  level       = advisory
  regulation  = "EU AI Act, Art. 26(2)"
  message     = "Add owners."
}

policy "kept" {
  for     = dataset
  require = dataset.age_days < 365 || !dataset.personal
}

version "trained@1.2.0" {
  artifact   = "oci://local/trained@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  content    = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created    = "2026-11-21T13:00:00Z"
  pipeline   = "train"
  run        = "train-12"
  commit     = "0123456789012345678901234567890123456789"
  params     = { test_share = 0.2, full = true, note = "a" }
  data       = { digits = "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35" }
  metrics    = { accuracy = 0.9835, "per class.7" = 1 }
  profile    = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  card       = "data/card.md"
  card_hash  = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  tolerance  = 0.001
  definition = "{\"name\":\"train\"}"
  step "train" {
    image  = "steps@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
    key    = "abc"
    values = { hidden = 64 }
    inputs = { data = "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35" }
  }
  gate "good_enough" {
    outcome    = "overridden"
    detail     = "accuracy 0.9835 >= 0.95"
    regulation = "x"
    actor      = "ann"
    reason     = "known"
  }
  gate "good_enough" {
    outcome = "passed"
  }
}

version "trained@1.10.0" {
  artifact = "oci://local/trained@sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  content  = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  created  = "2026-11-22"
}

trust {
  mode  = every
  since = "0123456789012345678901234567890123456789"

  signer "ben" {
    ssh  = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKczBEzkW2cYyqjyd21xbT7FIR7e8kF1EJFp565J90sh ben", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBG74b6YGnLsjdYHjbVeHms+uYSBQlTPbpLIp2qzl+ku2DKL+yStGXFio1xxcLfZdElCD8qXIyh+gc7TCttS4Fcc= ec"]
    role = person
  }
  signer "ann" {
    login       = "ann-k"
    ssh         = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDL9TXf6vT2wL2azfKM6YK99/GSMUd7JbeiGW9btwtzJ ann@laptop"]
    gpg         = [file("data/ann.asc")]
    valid_from  = "2026-01-01"
    valid_until = "2027-12-31"
    revoked     = "2026-11-03T14:00:00Z"
  }
  group "vision" {
    members = ["ann-k", "ben", "carl"]
  }
  review "models" {
    paths     = ["models/**", "*.hcl"]
    approvals = 2
    from      = ["@vision", "@dora"]
    owners    = true
  }
  review "all" {
    owners = true
  }
}

approval "digits-eu" {
  revision    = "4f2a90b1c2d3"
  step        = 2
  started     = "2026-11-21T14:00:03.250417Z"
  environment = environment.prod
}

approval "digits-eu" {
  revision = "4f2a90b1c2d3"
  step     = 1
}

promote "prod" {
  from    = environment.staging
  models  = [model.small, model.digits["eu"]]
  after   = "36h"
  require = [from.restarts == 0, from.hours > length(var.sizes) * 12 && !from.rejected]
}

promote "prod" {
  from   = environment.staging
  models = [model.users]
}

promote "staging" {
  from = environment.prod
}

notifier "oncall" {
  enabled  = true
  for_each = toset(["a", "b"])
  kind     = pagerduty
  token    = secret.key["eu"]
  events   = [rolled_back, held]
  severity = warning
  owners   = [local.team]
  title    = "[{{ .Environment }}] {{ .Title }} ${each.key}"
  text     = "{{ .Text }}{{ range .Owners }} {{ . }}{{ end }}{{ with .Facts.revision }}{{ . }}{{ end }}"
  repeat   = "30m"
}

notifier "mail" {
  kind  = email
  url   = "smtp://mail.example.com:587"
  user  = "fairlead"
  token = secret.token
  from  = "Fairlead <fairlead@example.com>"
  to    = ["vision@example.com"]
}

notifier "bot" {
  kind    = slack
  token   = secret.token
  channel = "#models"
}

notifier "hook" {
  kind        = webhook
  url         = secret.token
  signing_key = secret.token
}

include "team-a" {
  enabled  = false
  for_each = toset(["eu", "us"])
  repo     = "https://git.example.com/team-a.git"
  path     = "fairlead"
  ref      = "release/1"
  prefix   = "team_a_${each.key}_"
  token    = secret.token
  allow    = [host, publish]
  trust {
    mode = off
  }
}
