dataset "a" {
  source = "https://example.com/x.csv" # WARNING: Data not reproducible :: sha256sum
}
