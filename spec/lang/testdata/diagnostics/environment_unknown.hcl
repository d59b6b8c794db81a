# environment: prd
# ERROR nowhere: Unknown environment :: Did you mean prod?
environment "prod" {}
