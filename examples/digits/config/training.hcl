# How versions of the model are made: data, what is expected of it, the steps, what a
# version must prove, and what is proposed then.

variable "tools" {
  type        = string
  default     = "fairlead:demo"
  description = "An image with the program fairlead, whose commands profile and evaluate are steps here."
}

dataset "digits" {
  description = "Handwritten digits, 8x8 pixels: Optical Recognition of Handwritten Digits, the test set, UCI 1998."
  owners      = ["@vision"]
  source      = "data/digits.csv.gz"
  digest      = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
  license     = "CC-BY-4.0"
  collected   = "1998-07-01"
  region      = "TR"
  labels = {
    doi                  = "10.24432/C50P49"
    still_representative = "yes" # people write digits as they did then
  }

  table {
    headers = concat(formatlist("p%d", range(64)), ["label"])
  }
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
  expect "column" {
    name    = "p0"
    type    = integer
    min     = 0
    max     = 16
    missing = 0
  }
}

pipeline "train_digits" {
  description = "Trains networks of several sizes, tests the best, and proposes it."
  owners      = ["@vision"]
  parallel    = 2
  timeout     = "30m"

  schedule {
    cron = "0 3 * * 1"
    zone = "Europe/Berlin"
  }

  param "test_share" {
    default     = 0.3
    description = "Share of the rows that no network is trained on."
  }
  param "epochs" {
    default     = 30
    description = "Passes over the rows."
  }

  step "split" {
    image   = "${var.registry}digits-steps:1"
    inputs  = { data = dataset.digits }
    command = ["split", "--test-share", param.test_share]
    outputs = ["train", "test"]
  }

  # What monitors compare live traffic with.
  step "profile" {
    image   = var.tools
    inputs  = { data = step.split.train }
    command = ["profile", "/in/data/train.csv", "--categorical", "label", "--out", "/out/profile/profile.json"]
    outputs = ["profile"]
  }

  step "train" {
    image   = "${var.registry}digits-steps:1"
    inputs  = { data = step.split.train }
    matrix  = { hidden = [32, 64, 128], seed = [1, 2] }
    command = ["train", "--hidden", matrix.hidden, "--seed", matrix.seed, "--epochs", param.epochs]
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

  step "predict" {
    image   = "${var.registry}digits-steps:1"
    inputs  = { model = select.best.model, data = step.split.test }
    command = ["predict"]
    outputs = ["predictions"]
  }

  # Fairness is about who gets what is good for them. Digits get nothing, so to be
  # read as the nine that one is stands for it, and a thin or a bold hand for people
  # who must be treated alike.
  step "evaluate" {
    image  = var.tools
    inputs = { predictions = step.predict.predictions }
    command = [
      "evaluate", "/in/predictions/test.csv", "--label", "label", "--prediction", "prediction", "--probabilities", "p_*",
      "--sensitive", "stroke", "--positive", "9", "--min-group", "15", "--out", "/out/eval.json",
    ]
    metrics = "eval.json"
  }

  gate "good_enough" {
    require    = step.evaluate.metrics.accuracy >= 0.95
    message    = "Train longer, or look at what is new in the data."
    regulation = "EU AI Act, Art. 15(1)"
  }
  gate "no_regression" {
    require = step.evaluate.metrics.accuracy >= try(live.digits.metrics.accuracy, 0) - 0.005
    message = "The version that serves now reads better."
  }
  gate "fair" {
    require    = step.evaluate.metrics.equal_opportunity_ratio >= 0.8
    message    = "Digits of one hand are read worse; train with more of them."
    regulation = "EU AI Act, Art. 10(2)(f)"
  }

  publish {
    model    = model.digits
    artifact = select.best.model
    version  = patch
    metrics  = step.evaluate
    profile  = step.profile.profile
    card     = "model-card.md"
  }
}

# A few rules that hold for all; examples/policies has more.

policy "owned" {
  for        = model
  require    = length(model.owners) > 0
  regulation = "EU AI Act, Art. 26(2)"
  message    = "Name in owners who answers for the model."
}

policy "documented" {
  for        = model
  require    = length(model.card.intended_purpose) >= 20 && length(model.card.limitations) > 0
  regulation = "EU AI Act, Art. 13(3)(b)"
  message    = "Write intended_purpose and limitations into the front matter of the model card."
}

policy "tested" {
  for        = pipeline
  where      = pipeline.publish != null
  require    = pipeline.hard_gates >= 1 && length(pipeline.gate_metrics) > 0
  regulation = "EU AI Act, Art. 9(8)"
  message    = "Add a gate that asks for a metric."
}
