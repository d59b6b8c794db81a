package propose

import (
	"strings"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Wish is one change that Fairlead wants in Git.
type Wish struct {
	// Key names the thing that may be proposed: revert-digits. There is one open
	// proposal for it at most, on one branch.
	Key   string
	Kind  journal.ProposalKind
	Model string // served name
	// ID tells what is wanted: two wishes with one ID are the same.
	ID    string
	Title string // one line: also the subject of the commit
	Body  string // Markdown: why, with figures
	Edit  Edit
}

// Edit is what a wish changes. One of its parts is set.
type Edit struct {
	// Set are arguments of the model, by name: image, version, artifact.
	Set map[string]string
	// Back is the release that the model goes back to. Set names what is enough where
	// nothing else differs.
	Back *journal.Release
	// Approve is an approval to be added.
	Approve *spec.Approval
	// Files are whole files, by path; nil removes one.
	Files map[string][]byte
}

// Key is the key of a kind of wish about a model.
func Key(kind journal.ProposalKind, model string) string { return string(kind) + "-" + model }

// Branch is the branch on which a key is proposed. Each environment has its own.
func Branch(environment, key string) string {
	kind, model, _ := strings.Cut(key, "-")
	if kind == string(journal.ProposeRetrain) {
		kind = "publish" // what the pipeline does
	}
	branch := "fairlead/" + kind + "/"
	if environment != spec.DefaultEnvironment {
		branch += environment + "/"
	}
	return branch + model
}
