replicas = 2 # ERROR: Unknown argument :: It belongs into model
