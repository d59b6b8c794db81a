# A model of a Python team: steps are scripts that read files below /in and write
# files below /out. Neither they nor the server know of Fairlead.

locals {
  image = "fairlead-sklearn:1"
}

dataset "iris" {
  description = "Measures of 150 irises of three species. Fisher, Iris, UCI Machine Learning Repository, 1936."
  source      = "data/iris.csv"
  digest      = "sha256:9cc1c345c71bcc9b486b74cbf6063fa66f4bb5e0f603a4b3c3471ec2e5e8e355"
  license     = "CC-BY-4.0"
  collected   = "1936-09-01"
  labels      = { doi = "10.24432/C56C76" }

  expect "rows" {
    min = 150
  }
  expect "column" {
    name   = "species"
    values = ["setosa", "versicolor", "virginica"]
  }
  expect "column" {
    name    = "petal_length"
    type    = number
    min     = 0.5
    max     = 10
    missing = 0
  }
}

pipeline "train_iris" {
  description = "Looks for the best support vector machine, tests it, and proposes it."
  owners      = ["@botany"]
  timeout     = "30m"

  param "test_share" {
    default = 0.4
  }

  step "split" {
    image   = local.image
    inputs  = { data = dataset.iris }
    command = ["/app/split.py", "--test-share", param.test_share]
    outputs = ["train", "test"]
  }

  step "train" {
    image   = local.image
    inputs  = { data = step.split.train }
    command = ["/app/train.py", "--c", matrix.c, "--kernel", matrix.kernel]
    outputs = ["model"]
    metrics = "metrics.json"

    search {
      method   = tpe
      trials   = 6
      parallel = 2
      seed     = 1
      maximize = "accuracy"

      dimension "c" {
        min = 0.01
        max = 100
        log = true
      }
      dimension "kernel" {
        values = ["linear", "rbf"]
      }
    }
    resources {
      cpus   = 1
      memory = "512MiB"
    }
  }

  select "best" {
    of       = step.train
    maximize = "accuracy"
  }

  step "evaluate" {
    image   = local.image
    inputs  = { model = select.best.model, data = step.split.test }
    command = ["/app/evaluate.py"]
    metrics = "eval.json"
  }

  gate "good_enough" {
    require = step.evaluate.metrics.accuracy >= 0.9
  }

  publish {
    model    = model.iris
    artifact = select.best.model
    version  = minor
    metrics  = step.evaluate
  }
}

model "iris" {
  description = "Tells the species of an iris by its measures."
  owners      = ["@botany"]
  version     = "0.0.0"
  image       = local.image
  protocol    = open_inference
  replicas    = 0 # until there is a first version
  env         = { MODEL_VERSION = model.iris.version }

  resources {
    cpus   = 0.5
    memory = "256MiB"
  }
  health {
    path     = "/v2/health/ready"
    interval = "1s"
    deadline = "1m"
  }
  rollout {
    strategy = recreate
  }
}
