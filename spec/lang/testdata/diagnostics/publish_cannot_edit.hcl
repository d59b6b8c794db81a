locals {
  version = "1.0.0"
}

model "a" {
  image   = "a:1"
  version = local.version
}

model "b" {
  for_each = toset(["x"])
  image    = "a:1"
}

pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
  }
  publish {
    model    = model.a # ERROR: Version is computed :: publish_cannot_edit.hcl:7
    artifact = step.train.model
  }
}

pipeline "q" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
  }
  publish {
    model    = model.b["x"] # ERROR: Version is not the model's own :: for_each
    artifact = step.train.model
  }
}
