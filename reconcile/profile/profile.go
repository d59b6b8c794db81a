package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
)

// FormatVersion is that of the profiles that this package writes and reads.
const FormatVersion = 1

// Profile is what a dataset looks like.
type Profile struct {
	FormatVersion int       `json:"format_version"`
	Data          string    `json:"data,omitempty"` // digest of the file, sha256:HEX as sha256sum prints it
	Rows          int64     `json:"rows"`
	Features      []Feature `json:"features"` // in the order of the columns
}

// Kind is what the values of a feature are.
type Kind string

// The kinds of feature.
const (
	Numeric     Kind = "numeric"
	Categorical Kind = "categorical"
	Empty       Kind = "empty" // there was no value at all
)

// Feature is what one column looks like.
type Feature struct {
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Count   int64  `json:"count"`   // values that are there
	Missing int64  `json:"missing"` // values that are not
	// Binned is how many values the bins hold: all finite ones, or a sample of them.
	Binned int64 `json:"binned,omitempty"`

	Numbers    *Numbers    `json:"numbers,omitempty"`
	Categories *Categories `json:"categories,omitempty"`
}

// Numbers describes the values of a numeric feature.
type Numbers struct {
	Infinite int64   `json:"infinite,omitempty"` // values beyond a float64; nothing else counts them
	Whole    bool    `json:"whole,omitempty"`    // all are whole numbers
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Mean     float64 `json:"mean"`
	Std      float64 `json:"std"` // of the population: the divisor is the number of values
	// Edges bound the bins, ascending. A value at an edge belongs above it, at the
	// last one below. There is one edge of a feature with one value, and one bin.
	Edges  []float64 `json:"edges"`
	Counts []int64   `json:"counts"` // of each bin
}

// Categories describes the values of a categorical feature.
type Categories struct {
	Counts map[string]int64 `json:"counts"`
	Other  int64            `json:"other"` // values of other categories
	// Distinct is how many categories there were; AtLeast, that they were too many
	// to count.
	Distinct int  `json:"distinct"`
	AtLeast  bool `json:"at_least,omitempty"`
}

// Feature returns the feature of that name, or nil.
func (p *Profile) Feature(name string) *Feature {
	for i := range p.Features {
		if p.Features[i].Name == name {
			return &p.Features[i]
		}
	}
	return nil
}

// Places beside the bins that Bin can return.
const (
	Underflow = -1
	Overflow  = -2
)

// Bin is the bin of a finite value, or Underflow or Overflow.
func (n *Numbers) Bin(value float64) int {
	last := len(n.Edges) - 1
	switch {
	case value < n.Edges[0]:
		return Underflow
	case value > n.Edges[last]:
		return Overflow
	}
	above := sort.Search(len(n.Edges), func(i int) bool { return n.Edges[i] > value })
	return max(0, min(above-1, last-1))
}

// numberLists finds the lists of numbers in indented JSON. No text of JSON holds a
// line end, so it finds nothing else.
var numberLists = regexp.MustCompile(`\[\n[-+0-9.eE,\s]*\]`)

var spaces = regexp.MustCompile(`\s+`)

// Encode writes the profile as JSON: a line per figure, a list of numbers in one
// line, everything in a fixed order.
func (p *Profile) Encode() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(p); err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	return numberLists.ReplaceAllFunc(b.Bytes(), func(list []byte) []byte {
		inner := bytes.TrimSpace(list[1 : len(list)-1])
		return slices.Concat([]byte("["), spaces.ReplaceAll(inner, []byte(" ")), []byte("]"))
	}), nil
}

// MaxSize bounds the text of a profile, in bytes.
const MaxSize = 64 << 20

// Parse reads what Encode wrote. A profile that a monitor could not use is an error
// that names the feature.
func Parse(data []byte) (*Profile, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the profile has %d bytes; at most %d are read", len(data), MaxSize)
	}
	var p Profile
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("the profile does not read as JSON: %w", err)
	}
	if p.FormatVersion != FormatVersion {
		return nil, fmt.Errorf("the profile has format %d, and this program reads format %d; make it again with this program", p.FormatVersion, FormatVersion)
	}
	seen := map[string]bool{}
	for i := range p.Features {
		f := &p.Features[i]
		if err := f.check(p.Rows); err != nil {
			return nil, fmt.Errorf("feature %q of the profile: %w", f.Name, err)
		}
		if seen[f.Name] {
			return nil, fmt.Errorf("the profile has feature %q twice", f.Name)
		}
		seen[f.Name] = true
	}
	return &p, nil
}

func (f *Feature) check(rows int64) error {
	switch {
	case f.Count < 0 || f.Missing < 0 || f.Count+f.Missing != rows:
		return fmt.Errorf("%d values and %d missing ones do not make %d rows", f.Count, f.Missing, rows)
	case f.Binned < 0 || f.Binned > f.Count:
		return fmt.Errorf("%d of %d values are binned", f.Binned, f.Count)
	case (f.Kind == Numeric) != (f.Numbers != nil) || (f.Kind == Categorical) != (f.Categories != nil):
		return fmt.Errorf("the kind %q does not fit what it holds", f.Kind)
	}
	switch f.Kind {
	case Numeric:
		return f.Numbers.check(f.Binned)
	case Categorical:
		return f.Categories.check(f.Binned)
	case Empty:
		return nil
	}
	return fmt.Errorf("the kind %q is not known", f.Kind)
}

func (n *Numbers) check(binned int64) error {
	bins := max(1, len(n.Edges)-1)
	if len(n.Edges) == 0 || len(n.Counts) != bins {
		return fmt.Errorf("there are %d edges and %d bins", len(n.Edges), len(n.Counts))
	}
	for i, edge := range n.Edges {
		if math.IsNaN(edge) || i > 0 && edge <= n.Edges[i-1] {
			return errors.New("the edges do not ascend")
		}
	}
	return sums(slices.Values(n.Counts), 0, binned)
}

func (c *Categories) check(binned int64) error {
	return sums(func(yield func(int64) bool) {
		for _, n := range c.Counts {
			if !yield(n) {
				return
			}
		}
	}, c.Other, binned)
}

// sums compares what is in the bins with what should be.
func sums(counts func(func(int64) bool), sum, binned int64) error {
	if sum < 0 {
		return errors.New("a bin holds less than nothing")
	}
	for n := range counts {
		if n < 0 || n > binned-sum {
			return errors.New("the bins do not hold what is binned")
		}
		sum += n
	}
	if sum != binned {
		return fmt.Errorf("the bins hold %d values, and %d are binned", sum, binned)
	}
	return nil
}
