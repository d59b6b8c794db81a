# Says of each payment how likely it is a fraud.
model "fraud" {
  description = "The risk of a card payment, 0 to 1."
  owners      = ["@acme/risk"]
  version     = "7.0.1"
  image       = "registry.example.com/risk/fraud:7.0.1@sha256:0d7f4e9ea5a0a5e2b4ba5cc5c3a6e91a6d6a0a4a4c9a3d5c2f7a1e0b9c8d7e6f"
  replicas    = 2
  read_only   = true
  secrets     = { features = secret.feature_store }

  resources {
    cpus   = 2
    memory = "1GiB"
  }
  rollout {
    step {
      weight = 10
      hold   = "10m"
    }
    check "errors" {
      metric = error_ratio
      max    = 0.005
    }
  }
}
