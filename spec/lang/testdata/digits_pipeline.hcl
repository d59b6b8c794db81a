# The pipeline of the digits example, with all that people write first.

model "digits" {
  version = "1.0.0"
  image   = "digits-server:1"
  card    = "digits/model-card.md"
}

dataset "digits" {
  source  = "data/digits.csv.gz"
  digest  = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
  license = "CC-BY-4.0"

  expect "rows" {
    min = 1500
  }
  expect "column" {
    name    = "label"
    type    = integer
    min     = 0
    max     = 9
    missing = 0
  }
}

pipeline "train_digits" {
  on = [change, dataset.digits]

  schedule {
    cron = "0 3 * * 1"
    zone = "Europe/Berlin"
  }

  param "test_share" {
    default = 0.2
  }

  step "split" {
    image   = "digits-steps:1"
    inputs  = { data = dataset.digits }
    env     = { TEST_SHARE = param.test_share }
    outputs = ["train", "test", "profile"]
  }

  step "train" {
    image   = "digits-steps:1"
    inputs  = { data = step.split.train }
    matrix  = { hidden = [32, 64, 128], seed = [1, 2] }
    env     = { HIDDEN = matrix.hidden, SEED = matrix.seed }
    outputs = ["model"]
    metrics = "metrics.json"
    retries = 2
    timeout = "20m"

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
    image   = "digits-steps:1"
    inputs  = { model = select.best.model, data = step.split.test }
    metrics = "eval.json"
  }

  gate "good_enough" {
    require = step.evaluate.metrics.accuracy >= 0.95
  }
  gate "no_regression" {
    require = step.evaluate.metrics.accuracy >= try(live.digits.metrics.accuracy, 0) - 0.005
  }
  gate "fair" {
    require    = step.evaluate.metrics.equal_opportunity_ratio >= 0.8
    regulation = "EU AI Act, Art. 10(2)(f)"
  }

  publish {
    model    = model.digits
    artifact = select.best.model
    version  = patch
    profile  = step.split.profile
    card     = "digits/model-card.md"
  }
}
