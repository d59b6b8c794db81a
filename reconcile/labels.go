package reconcile

import (
	"strconv"

	"github.com/fairlead/fairlead/spec"
)

// Owns tells whether an object with these labels belongs to the scope. Every
// provider asks it before it touches anything.
func (s Scope) Owns(labels map[string]string) bool {
	return s.Owner != "" && s.Environment != "" &&
		labels[LabelOwner] == s.Owner && labels[LabelEnvironment] == s.Environment
}

// Identify fills in what the labels of an observed container say about it. A
// label that somebody forged or broke yields a zero value, which no desired
// container has.
func (c *Container) Identify(labels map[string]string) {
	c.Kind = spec.Kind(labels[LabelKind])
	c.Model = labels[LabelModel]
	c.Revision = labels[LabelRevision]
	c.Commit = labels[LabelCommit]
	c.ImageRef = labels[LabelImage]
	c.Replica, _ = strconv.Atoi(labels[LabelReplica])
}
