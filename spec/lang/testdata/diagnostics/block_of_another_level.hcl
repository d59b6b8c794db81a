rollout { # ERROR: Unknown block :: It belongs into model.
}
