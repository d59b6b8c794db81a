package reconcile

// Owns tells whether an object with these labels belongs to the scope. Every
// provider asks it before it touches anything.
func (s Scope) Owns(labels map[string]string) bool {
	return s.Owner != "" && s.Environment != "" &&
		labels[LabelOwner] == s.Owner && labels[LabelEnvironment] == s.Environment
}
