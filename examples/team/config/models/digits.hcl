# Reads handwritten digits. What differs between environments is in environments/.
model "digits" {
  description = "Reads handwritten digits, 8x8 pixels."
  owners      = ["@acme/vision"]
  version     = "1.2.3"
  image       = "registry.example.com/vision/digits:1.2.3@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
  read_only   = true

  resources {
    cpus   = 1
    memory = "256MiB"
  }
  rollout {
    step {
      weight = 20
      hold   = "5m"
    }
    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
    check "latency" {
      metric        = latency_p99
      max_vs_stable = 1.3
    }
  }
}
