package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Differences says how far what a server tells about itself (told) is from the
// signature that is declared, one sentence for each tensor; nil if it is not.
//
// The inputs must be the same, since callers send what is declared. The server
// may have outputs beside the declared ones, which nobody was promised. Sizes
// follow who sends: an input may be fixed in the declaration where the server
// takes any size, and an output may be declared as any where the server fixes it,
// but not the other way round.
func (s *Signature) Differences(told Signature) []string {
	var found []string
	for _, declared := range s.Inputs {
		t := find(told.Inputs, declared.Name)
		switch {
		case t == nil:
			found = append(found, fmt.Sprintf("input %q is declared, and the server has %s", declared.Name, names(told.Inputs, "input")))
		case t.Datatype != declared.Datatype || !covers(t.Shape, declared.Shape):
			found = append(found, fmt.Sprintf("input %q is declared as %s, and the server takes %s", declared.Name, declared, t))
		}
	}
	for _, t := range told.Inputs {
		if find(s.Inputs, t.Name) == nil {
			found = append(found, fmt.Sprintf("the server needs the input %q (%s), which is not declared", t.Name, t))
		}
	}
	for _, declared := range s.Outputs {
		t := find(told.Outputs, declared.Name)
		switch {
		case t == nil:
			found = append(found, fmt.Sprintf("output %q is declared, and the server has %s", declared.Name, names(told.Outputs, "output")))
		case t.Datatype != declared.Datatype || !covers(declared.Shape, t.Shape):
			found = append(found, fmt.Sprintf("output %q is declared as %s, and the server gives %s", declared.Name, declared, t))
		}
	}
	return found
}

// String is datatype and shape as people write them: FP32 [-1, 64].
func (t Tensor) String() string {
	sizes := make([]string, len(t.Shape))
	for i, size := range t.Shape {
		sizes[i] = strconv.FormatInt(size, 10)
	}
	return t.Datatype + " [" + strings.Join(sizes, ", ") + "]"
}

func find(tensors []Tensor, name string) *Tensor {
	i := slices.IndexFunc(tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &tensors[i]
}

// covers tells whether every shape that narrow stands for is one that wide stands
// for.
func covers(wide, narrow []int64) bool {
	return slices.EqualFunc(wide, narrow, func(w, n int64) bool { return w < 0 || w == n })
}

func names(tensors []Tensor, kind string) string {
	if len(tensors) == 0 {
		return "no " + kind
	}
	quoted := make([]string, len(tensors))
	for i, t := range tensors {
		quoted[i] = strconv.Quote(t.Name)
	}
	return "only " + strings.Join(quoted, ", ")
}
