package profile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// Bounds of a profile.
const (
	DefaultBins = 10
	MaxBins     = 1000
	SampleSize  = 100_000 // values of a feature that are kept for its bins, 8 bytes each
	// MaxDistinct is how many categories are counted, and MaxCategories how many of
	// them are kept.
	MaxDistinct   = 10_000
	MaxCategories = 100
)

// Options say what a profile is made of.
type Options struct {
	Columns     []string // nil: all
	Categorical []string // columns whose numbers are names of categories
	Bins        int      // at most, of a numeric feature; 0: DefaultBins
}

// Build reads a table to its end. Data of the Profile is left to the caller, who
// has the file.
func Build(r *tabular.Reader, o Options) (*Profile, error) {
	if o.Bins == 0 {
		o.Bins = DefaultBins
	}
	if o.Bins < 1 || o.Bins > MaxBins {
		return nil, fmt.Errorf("there can be 1 to %d bins, not %d", MaxBins, o.Bins)
	}
	b := &builder{o: o}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := b.add(r.Columns(), row); err != nil {
			return nil, err
		}
	}
	if b.rows == 0 {
		return nil, errors.New("there are no rows, so there is nothing to compare with later")
	}
	return b.profile(r)
}

// builder collects the columns of a table.
type builder struct {
	o       Options
	rows    int64
	columns []*column // as in the table; nil: not asked for
}

// column is what was seen of one feature. It is taken as numbers and as categories
// until it is clear what it is.
type column struct {
	name        string
	categorical bool // is clear
	count       int64
	numbers     moments
	counts      map[string]int64 // nil: there are too many numbers to count
	other       int64
	many        bool // there were more than MaxDistinct categories
}

func (b *builder) add(names []string, row *tabular.Row) error {
	for i := len(b.columns); i < len(names); i++ {
		if b.o.Columns != nil && !slices.Contains(b.o.Columns, names[i]) {
			b.columns = append(b.columns, nil)
			continue
		}
		b.columns = append(b.columns, &column{
			name: names[i], categorical: slices.Contains(b.o.Categorical, names[i]), counts: map[string]int64{},
			numbers: moments{min: math.Inf(1), max: math.Inf(-1), whole: true, random: rand.New(rand.NewPCG(seed, uint64(i)))},
		})
	}
	b.rows++
	for i, c := range b.columns {
		if c != nil && !row.Values[i].Missing {
			c.add(row.Values[i])
		}
	}
	return nil
}

func (c *column) add(v tabular.Value) {
	c.count++
	if number, is := v.Number(); !c.categorical && is && !math.IsNaN(number) {
		c.numbers.add(number)
	} else if !c.categorical {
		c.categorical = true
		c.numbers = moments{}
		if c.counts == nil { // there were too many numbers to count them as categories
			c.counts, c.other, c.many = map[string]int64{}, c.count-1, true
		}
	}
	c.tally(v.Text)
}

// tally counts a category, unless it is clear that nobody will ask for it.
func (c *column) tally(name string) {
	n, known := c.counts[name]
	switch {
	case known:
		c.counts[name] = n + 1
	case c.counts == nil:
	case len(c.counts) < MaxDistinct:
		c.counts[strings.Clone(name)] = 1 // a clone does not keep the whole row in memory
	case c.categorical:
		c.other++
		c.many = true
	default:
		c.counts = nil
	}
}

func (b *builder) profile(r *tabular.Reader) (*Profile, error) {
	for _, name := range slices.Concat(b.o.Columns, b.o.Categorical) {
		if _, err := r.Column(name); err != nil {
			return nil, err
		}
	}
	p := &Profile{FormatVersion: FormatVersion, Rows: b.rows}
	for _, c := range b.columns {
		if c != nil {
			p.Features = append(p.Features, c.feature(b.rows, b.o.Bins))
		}
	}
	return p, nil
}

func (c *column) feature(rows int64, bins int) Feature {
	f := Feature{Name: c.name, Count: c.count, Missing: rows - c.count}
	switch {
	case c.count == 0:
		f.Kind = Empty
	case !c.categorical && len(c.numbers.sample) > 0:
		f.Kind, f.Binned = Numeric, int64(len(c.numbers.sample))
		f.Numbers = c.numbers.bins(bins)
	default: // also if all numbers are infinite
		f.Kind, f.Binned = Categorical, c.count
		f.Categories = c.categories()
	}
	return f
}

// categories keeps the most frequent ones; of equally frequent ones the first by
// name.
func (c *column) categories() *Categories {
	type category struct {
		name string
		n    int64
	}
	var all []category
	for name, n := range c.counts {
		all = append(all, category{name, n})
	}
	slices.SortFunc(all, func(a, b category) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.name, b.name))
	})
	result := &Categories{Counts: map[string]int64{}, Other: c.other, Distinct: len(all), AtLeast: c.many}
	if c.counts == nil { // infinite numbers, in more notations than are counted
		result.Other, result.Distinct, result.AtLeast = c.count, MaxDistinct, true
	}
	for i, category := range all {
		if i < MaxCategories {
			result.Counts[category.name] = category.n
		} else {
			result.Other += category.n
		}
	}
	return result
}
