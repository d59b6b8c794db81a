# Where everything comes first. Merging a pull request with a new version takes it
# into staging; prod follows by a pull request of its own.
environment "staging" {
  model "digits" {
    # New images of the 1.x line are proposed here as soon as the registry has them.
    update {
      range    = "^1.2"
      interval = "15m"
    }
  }
}
