package view

import (
	"fmt"
	"slices"
)

// Pins is what became of the images in a repo.
type Pins struct {
	FormatVersion string      `json:"format_version"`
	Check         bool        `json:"check,omitempty"` // nothing was changed
	Changes       []Pin       `json:"changes"`
	Unknown       []UnknownAt `json:"unknown,omitempty"` // of which no registry tells the digest
	ByHand        []ByHand    `json:"by_hand,omitempty"`
}

// PinsFormat is the version of the JSON form of Pins.
const PinsFormat = "1.0"

// Pin is an image that gets its digest at one place, or with --check lacks it.
type Pin struct {
	File string `json:"file"`
	Line int    `json:"line"`
	From string `json:"from"`
	To   string `json:"to,omitempty"`
}

// UnknownAt is an image that cannot be pinned.
type UnknownAt struct {
	Image  string `json:"image"`
	Reason string `json:"reason"`
	// Unasked: its registry could not be asked, so it may have the image.
	Unasked bool `json:"unasked,omitempty"`
}

// ByHand is what a person has to edit.
type ByHand struct {
	Address    string `json:"address"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Expression string `json:"expression"`
	Remedy     string `json:"remedy"`
}

// Left counts what is still without a digest.
func (p *Pins) Left() int {
	left := len(p.Unknown) + len(p.ByHand)
	if p.Check {
		left += len(p.Changes)
	}
	return left
}

// Pins prints a line per change, and what is left to do.
func (v *View) Pins(pins *Pins) error {
	out := &printer{v: v}
	for _, c := range pins.Changes {
		where := v.paint(dim, fmt.Sprintf("%s:%d", c.File, c.Line))
		if pins.Check {
			out.line("%s %s  %s has no digest", v.paint(red, "✗"), where, c.From)
			continue
		}
		out.line("%s %s  %s → %s", v.paint(green, "✓"), where, c.From, c.To)
	}
	for _, u := range pins.Unknown {
		out.line("%s %s stays as it is: %s", v.paint(yellow, "!"), u.Image, firstLine(u.Reason))
	}
	if slices.ContainsFunc(pins.Unknown, func(u UnknownAt) bool { return u.Unasked }) {
		out.line("%s Not every registry could be asked; do it again when they answer.", v.paint(yellow, "!"))
	}
	for _, b := range pins.ByHand {
		out.line("%s %s  %s by hand: image = %s; %s", v.paint(yellow, "!"), v.paint(dim, fmt.Sprintf("%s:%d", b.File, b.Line)), b.Address, b.Expression, b.Remedy)
	}
	switch left := pins.Left(); {
	case left == 0 && len(pins.Changes) == 0:
		out.line("%s Every image has its digest.", v.paint(green, "✓"))
	case left == 0:
		out.line("Pinned: %s. Review and commit that.", count(len(pins.Changes), "place"))
	case pins.Check:
		out.line("Not pinned: %s. To write the digests: fairlead pin", count(left, "image"))
	case len(pins.Changes) == 0:
		out.line("Pinned: nothing. %s left without a digest.", are(left, "image"))
	default:
		out.line("Pinned: %s. %s left without a digest.", count(len(pins.Changes), "place"), are(left, "image"))
	}
	return out.flush()
}

// are is a count with its verb.
func are(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return count(n, noun) + " are"
}
