# ERROR nowhere: Environment needed :: prod, staging
environment "prod" {}
environment "staging" {}
