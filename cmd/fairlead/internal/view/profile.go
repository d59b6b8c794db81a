package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/profile"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

// Profile is the reference profile of a file.
type Profile struct {
	File string
	Out  string // file that it was written into
	*profile.Profile
}

// Profile prints a line per feature.
func (v *View) Profile(p *Profile) error {
	out := &printer{v: v}
	out.line("%s: %s, %s", v.paint(bold, p.File), count(int(p.Rows), "row"), count(len(p.Features), "feature"))
	out.line("%s", v.paint(dim, p.Data))
	out.line("")
	rows := [][]string{{"FEATURE", "KIND", "VALUES", "MISSING", "WHAT THEY ARE"}}
	for i := range p.Features {
		f := &p.Features[i]
		rows = append(rows, []string{tabular.Clip(f.Name), string(f.Kind), strconv.FormatInt(f.Count, 10), strconv.FormatInt(f.Missing, 10), valuesOf(f)})
	}
	out.table(rows, plain)
	if p.Out != "" {
		out.line("")
		out.line("The profile is in %s.", p.Out)
	}
	return out.flush()
}

// maxCategories is how many categories a line names.
const maxCategories = 3

func valuesOf(f *profile.Feature) string {
	switch {
	case f.Numbers != nil:
		n := f.Numbers
		text := fmt.Sprintf("%s to %s, mean %s, std %s, %s", precise(n.Min), precise(n.Max), precise(n.Mean), precise(n.Std), count(len(n.Counts), "bin"))
		if n.Infinite > 0 {
			text += fmt.Sprintf(", %d infinite", n.Infinite)
		}
		if f.Binned < f.Count-n.Infinite {
			text += fmt.Sprintf(" of a sample of %d", f.Binned)
		}
		return text
	case f.Categories != nil:
		return categories(f.Categories)
	}
	return ""
}

func categories(c *profile.Categories) string {
	names := slices.SortedFunc(maps.Keys(c.Counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Counts[b], c.Counts[a]), cmp.Compare(a, b))
	})
	var shown []string
	for _, name := range names[:min(len(names), maxCategories)] {
		shown = append(shown, fmt.Sprintf("%s %d", tabular.Clip(name), c.Counts[name]))
	}
	noun := "categories"
	if c.Distinct == 1 {
		noun = "category"
	}
	many := ""
	if c.AtLeast {
		many = "more than "
	}
	return fmt.Sprintf("%s%d %s: %s", many, c.Distinct, noun, strings.Join(shown, ", "))
}
