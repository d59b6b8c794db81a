removed { # ERROR: Missing argument :: destroy = false
  from = model.a
}
