version "digits@1.2.0" {
  artifact = "oci://local/digits@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  content  = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  created  = "2026-11-21T13:00:00Z"
  pipeline = "train_digits"
  run      = "train_digits-12"
  commit   = "abababababababababababababababababababab"
  params = {
    "a b"      = "x"
    fast       = true
    "for"      = 1
    name       = "a $${b} \"c\""
    test_share = 0.2
  }
  data = {
    digits = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
  }
  metrics = {
    accuracy                = 0.9835
    equal_opportunity_ratio = 0.3333333333333333
    loss                    = 1e-12
    rows                    = 1797
  }
  profile    = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
  card       = "model-card.md"
  card_hash  = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
  tolerance  = 0.001
  definition = file("versions/digits/1.2.0.json")

  step "split" {
    image = "digits-steps@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
    key   = "0000000000000000000000000000000000000000000000000000000000000000"
  }

  step "train.2" {
    image = "digits-steps@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
    key   = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
    values = {
      hidden = 64
    }
    inputs = {
      data = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    }
  }

  gate "good_enough" {
    outcome = "passed"
    detail  = "accuracy 0.9835 >= 0.95"
  }

  gate "fair" {
    outcome    = "overridden"
    detail     = "ratio 0.79 >= 0.8"
    regulation = "EU AI Act, Art. 10(2)(f)"
    actor      = "ann@host"
    reason     = "few rows\nof one group"
  }
}
