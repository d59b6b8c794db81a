# environment: prod
model "digits" {
  image = "digits:1"
}
model "other" {
  image = "other:1"
}
promote "prod" {
  from    = environment.staging
  models  = [model.digits]
  require = from.restarts == 0 # ERROR: Wrong type :: in brackets
}
promote "prod" {
  from    = environment.staging
  models  = [model.other]
  require = [from.hours] # allowed: it may be true or false
}
promote "staging" {
  from    = environment.prod
  models  = [model.digits, model.other]
  require = [from.hours + 1] # ERROR: Condition expected :: from.restarts == 0
}
promote "staging" {
  from    = environment.prod
  models  = [model.digits] # ERROR: Promoted twice :: digits
  require = [model.owners == []] # ERROR: Fact not known here :: can refer to from
}
environment "prod" {
}
environment "staging" {
}
