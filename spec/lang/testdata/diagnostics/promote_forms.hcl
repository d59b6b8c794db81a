# environment: prod
model "digits" {
  image = "digits:1"
}
model "gone" {
  enabled = env.name == "staging"
  image   = "gone:1"
}
promote "pord" { # ERROR: Unknown environment :: Did you mean prod?
  from = environment.staging
}
promote "staging" {
  from   = environment.staging # ERROR: Promotion to itself :: comes before
  models = [model.gone]
}
promote "prod" { # ERROR: Missing argument :: environment.staging
  models = [
    model.digits,
    model.digits, # ERROR: Duplicate model :: already
    model.gone,   # ERROR: Disabled model :: prod
    model.digit,  # ERROR: Unknown model :: model.digits
  ]
}
promote "prod" {
  from    = environment.stging # ERROR: Unknown environment :: staging
  models  = []                 # ERROR: Empty list :: every model
  require = [from.restart == 0] # ERROR: Unknown fact :: Did you mean restarts?
}
# ERROR@24: Promoted twice :: names no models
environment "prod" {
}
environment "staging" {
}
