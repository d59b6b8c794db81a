locals "x" { # ERROR: Block takes no label :: Write locals { ... }
}
