fairlead {
  required_version = ">= 9.0" # ERROR: Another version required :: This is Fairlead 0.1.0
}
nonsense {}
