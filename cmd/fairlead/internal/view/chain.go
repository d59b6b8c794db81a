package view

import (
	"fmt"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

// Unverified says that keys were named and had no use.
func (v *View) Unverified() error {
	_, err := fmt.Fprintf(v.Err, "%s A daemon answers, so --journal-signers was not used. To verify its journal, say fairlead audit verify, or name the repository with --repo.\n", v.paint(yellow, "!"))
	return err
}

// Chain says, beside the answer, whether the journal that it comes from can be relied on.
// place is the repository or directory that was read.
func (v *View) Chain(c *app.Chain, place string) error {
	var text string
	switch {
	case !c.Checked:
		text = fmt.Sprintf("%s No signature was checked: whoever can write to %s could have written this. Name the keys of its daemon with --journal-signers.", v.paint(yellow, "!"), place)
	case !c.Sound:
		text = fmt.Sprintf("%s The journal in %s is not what its daemon wrote, so do not rely on this: %s", v.paint(red, "✗"), place, c.First)
		if c.Problems > 1 {
			text += fmt.Sprintf(" (and %d more)", c.Problems-1)
		}
		text += ". See fairlead audit verify."
	case c.Entries == 0:
		return nil
	case c.Unsigned > 0:
		text = fmt.Sprintf("%s %s, %d of them from before the journal was signed. All others are signed by its daemon, and all are in their place.", v.paint(green, "✓"), count(c.Entries, "decision"), c.Unsigned)
	default:
		text = fmt.Sprintf("%s %s, signed by its daemon and in their place.", v.paint(green, "✓"), count(c.Entries, "decision"))
	}
	_, err := fmt.Fprintln(v.Err, text)
	return err
}
