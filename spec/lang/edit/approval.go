package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// ApprovalPath is the file that holds the approval of a model: approvals/digits.hcl.
func ApprovalPath(model string) string { return "approvals/" + model + ".hcl" }

// WriteApproval writes an approval into the file of its model, in the place of an
// older one for the same environment; what else the file holds stays as it is. It
// returns the new content by path, which is empty where the tree has that very
// approval already, in whichever file.
func WriteApproval(tree spec.Tree, a spec.Approval) (map[string][]byte, error) {
	if !spec.ValidName(a.Model) || a.Revision == "" || a.Step < 1 {
		return nil, errors.New("write an approval: it needs the name of a model, a revision and a step")
	}
	r := &repo{tree: tree}
	there, err := r.approved(a)
	if err != nil || there {
		return nil, err
	}
	path := ApprovalPath(a.Model)
	src, err := tree.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		const comment = "# Merging this lets the rollout pass the step. It counts for this one revision.\n"
		return map[string][]byte{path: append([]byte(comment), approvalBlock(a)...)}, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	content, err := replaceApproval(path, src, a)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{path: content}, nil
}

// approved tells whether the tree has the approval already.
func (r *repo) approved(a spec.Approval) (bool, error) {
	for _, f := range r.tree.Files() {
		parse := parserOf(f.Path)
		if parse == nil {
			continue
		}
		src, err := r.read(f.Path)
		if err != nil {
			return false, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if !bytes.Contains(src, []byte("approval")) || !bytes.Contains(src, []byte(a.Model)) {
			continue
		}
		top, err := parse(f.Path, src)
		if err != nil {
			return false, err
		}
		for _, b := range top.blocks("approval", a.Model) {
			if b.arguments["revision"].text == a.Revision && b.arguments["step"].source == strconv.Itoa(a.Step) && b.arguments["started"].text == a.Started && approvedIn(b) == a.Environment {
				return true, nil
			}
		}
	}
	return false, nil
}

// approvedIn is the environment for which a block counts.
func approvedIn(b *block) string {
	reference := strings.Trim(b.arguments["environment"].source, `"`) // which JSON has around it
	name, _ := strings.CutPrefix(reference, "environment.")
	return name
}

// replaceApproval puts the approval into the place of an older one, or behind all
// else.
func replaceApproval(path string, src []byte, a spec.Approval) ([]byte, error) {
	top, err := parseNative(path, src)
	if err != nil {
		return nil, err
	}
	block := bytes.TrimRight(approvalBlock(a), "\n")
	for _, b := range top.blocks("approval", a.Model) {
		written, isNative := b.syntax.(native)
		if !isNative || approvedIn(b) != a.Environment {
			continue
		}
		return top.splice(written.block.TypeRange.Start.Byte, written.block.CloseBraceRange.End.Byte, string(block)), nil
	}
	end := bytes.TrimRight(src, " \t\r\n")
	out := append([]byte(nil), end...)
	if len(end) > 0 {
		out = append(out, "\n\n"...)
	}
	return append(append(out, block...), '\n'), nil
}

func approvalBlock(a spec.Approval) []byte {
	var w writer
	w.open("approval", a.Model)
	w.text("revision", a.Revision)
	w.line("step", strconv.Itoa(a.Step))
	if a.Started != "" {
		w.text("started", a.Started)
	}
	if a.Environment != "" {
		w.line("environment", "environment."+a.Environment)
	}
	w.close()
	return hclwrite.Format([]byte(w.b.String()))
}
