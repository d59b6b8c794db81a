pipeline "p" {
  step "train" {
    image   = "steps:1"
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "a" {
    image    = "steps:1"
    retry_on = [oom] # ERROR: Contradictory arguments :: retries is 0
    backoff  = "10m"
    max_backoff = "1m" # ERROR: Contradictory values :: longer than the longest
    cache    = false
    max_age  = "1d" # ERROR: Contradictory arguments :: of any age
  }
}
