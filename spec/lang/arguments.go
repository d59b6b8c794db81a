package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
)

// arguments are those of one block, sorted by their names. There are a few in each of
// many blocks, which is where a map would take several times as much memory.
type arguments []*arg

// get returns the argument of that name, or nil.
func (as arguments) get(name string) *arg {
	if i, found := as.find(name); found {
		return as[i]
	}
	return nil
}

// set adds an argument, in place of the one of its name.
func (as *arguments) set(a *arg) {
	i, found := as.find(a.name)
	if found {
		(*as)[i] = a
		return
	}
	*as = slices.Insert(*as, i, a)
}

func (as arguments) find(name string) (int, bool) {
	return slices.BinarySearchFunc(as, name, func(a *arg, name string) int { return strings.Compare(a.name, name) })
}

// newArg is an argument of n whose value is not read yet. In both syntaxes an
// argument begins with its name, and that has no line break.
func newArg(n *node, def *schema.Argument, name string, nameRng, rng hcl.Range) *arg {
	return &arg{
		place: &n.place, name: name, schema: def, rng: rng,
		nameBytes:   int32(nameRng.End.Byte - rng.Start.Byte),
		nameColumns: int32(nameRng.End.Column - rng.Start.Column),
	}
}

// nameRange is the place of the name.
func (a *arg) nameRange() hcl.Range {
	end := a.rng.Start
	end.Byte += int(a.nameBytes)
	end.Column += int(a.nameColumns)
	return hcl.Range{Filename: a.rng.Filename, Start: a.rng.Start, End: end}
}
