package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
)

// tally keeps count of the answers.
type tally struct {
	right, wrong, failed int
	firstFailure         error
	byModel              map[string]int
	took                 []time.Duration
}

func newTally() *tally { return &tally{byModel: map[string]int{}} }

func (t *tally) asked() int { return t.right + t.wrong + t.failed }

// add counts one answer, and prints the first one and each wrong one.
func (t *tally) add(out io.Writer, d data.Digit, a answer, err error) {
	first := t.asked() == 0
	if err != nil {
		t.failed++
		if t.firstFailure == nil {
			t.firstFailure = err
		}
		return
	}
	t.byModel[a.model]++
	t.took = append(t.took, a.took)
	if a.digit == d.Label {
		t.right++
	} else {
		t.wrong++
	}
	if first || a.digit != d.Label {
		fmt.Fprintf(out, "row %-4d  is a %d, %s reads a %d (%.1f %%)\n", d.Row, d.Label, a.model, a.digit, 100*a.probability)
	}
}

// summary prints the figures.
func (t *tally) summary(out io.Writer) {
	answered := t.right + t.wrong
	if answered == 0 {
		return
	}
	fmt.Fprintf(out, "accuracy   %.4f  %d of %d held-out digits\n", float64(t.right)/float64(answered), t.right, answered)
	for _, model := range slices.Sorted(maps.Keys(t.byModel)) {
		fmt.Fprintf(out, "answered   %s  %d times\n", model, t.byModel[model])
	}
	slices.Sort(t.took)
	fmt.Fprintf(out, "latency    half within %s, 99 %% within %s\n", t.quantile(50), t.quantile(99))
}

func (t *tally) quantile(percent int) time.Duration {
	return t.took[(len(t.took)-1)*percent/100].Round(10 * time.Microsecond)
}

// shades are the darkness of a pixel as characters, from white to black.
const shades = " .:-=+*#%@"

// draw prints the picture, each pixel two characters wide so that it is about
// square on a terminal.
func draw(out io.Writer, d data.Digit) {
	for row := range slices.Chunk(d.Pixels[:], data.Side) {
		var line strings.Builder
		for _, pixel := range row {
			shade := shades[int(pixel)*(len(shades)-1)/data.Black]
			line.WriteByte(shade)
			line.WriteByte(shade)
		}
		fmt.Fprintln(out, " ", strings.TrimRight(line.String(), " "))
	}
}
