pipeline "p" { # ERROR: Pipeline without steps
}
