model "a" {
  image = model.b.image # ERROR: References in a circle :: model.b.image reads model.a.image at cycle_of_models.hcl:5
}
model "b" {
  image = model.a.image
}
