package evaluate

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// fairness compares the groups of each sensitive column, and of each intersection.
func (p *Predictions) fairness(r *Report, c *classes) error {
	if len(p.o.Sensitive) == 0 {
		return nil
	}
	if c.positive < 0 {
		return errors.New("fairness is about who gets the positive class, and there are several; say which it is")
	}
	r.Positive = c.names[c.positive]
	names := p.o.sensitiveColumns()
	seen := map[string]bool{}
	for _, set := range p.o.Sensitive {
		columns := strings.Split(set, ",")
		sets := [][]string{columns}
		if len(columns) > 1 {
			sets = nil
			for _, column := range columns {
				sets = append(sets, []string{column})
			}
			sets = append(sets, columns)
		}
		for _, columns := range sets {
			if name := strings.Join(columns, ","); !seen[name] {
				seen[name] = true
				f, err := p.compare(c, name, columns, names)
				if err != nil {
					return err
				}
				r.Fairness = append(r.Fairness, *f)
			}
		}
	}
	for name := range p.o.Reference {
		if !seen[name] {
			return fmt.Errorf("there is a reference group of %s, which is not compared by; there are %s", tabular.Clip(name), tabular.Names(slices.Sorted(maps.Keys(seen))))
		}
	}
	return nil
}

func (p *Predictions) compare(c *classes, name string, columns, all []string) (*Fairness, error) {
	var parts []*series
	for _, column := range columns {
		parts = append(parts, &p.sensitive[slices.Index(all, column)])
	}
	f := &Fairness{Sensitive: name, MinGroup: p.o.MinGroup, Overall: Group{Name: "everybody"}}
	at := map[string]int{}
	key := make([]byte, 0, 4*len(parts))
	for i, truth := range c.truth {
		key = key[:0]
		for _, s := range parts {
			code := s.codes[i]
			key = append(key, byte(code>>24), byte(code>>16), byte(code>>8), byte(code))
		}
		g, known := at[string(key)]
		if !known {
			if len(f.Groups) == MaxGroups {
				return nil, fmt.Errorf("%s has more than %d groups; put the values into classes", name, MaxGroups)
			}
			g = len(f.Groups)
			at[string(key)] = g
			f.Groups = append(f.Groups, Group{Name: groupName(parts, i)})
		}
		f.Groups[g].count(truth == c.positive, c.predicted[i] == c.positive)
		f.Overall.count(truth == c.positive, c.predicted[i] == c.positive)
	}
	slices.SortFunc(f.Groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	f.Overall.rates(1)
	for i := range f.Groups {
		f.Groups[i].rates(int64(p.o.MinGroup))
	}
	if err := f.disparities(p.o.Reference[name]); err != nil {
		return nil, err
	}
	f.measure()
	return f, nil
}

func groupName(parts []*series, row int) string {
	var names []string
	for _, s := range parts {
		names = append(names, s.names[s.codes[row]])
	}
	return strings.Join(names, ",")
}

func (g *Group) count(positive, selected bool) {
	g.Rows++
	switch {
	case positive && selected:
		g.tp++
	case positive:
		g.fn++
	case selected:
		g.fp++
	default:
		g.tn++
	}
}

func (g *Group) rates(least int64) {
	rate := func(part, of int64) Rate {
		r := Rate{Of: of, Insufficient: of < least}
		if of > 0 {
			value := float64(part) / float64(of)
			r.Value = &value
		}
		return r
	}
	g.SelectionRate = rate(g.tp+g.fp, g.Rows)
	g.TPR = rate(g.tp, g.tp+g.fn)
	g.FPR = rate(g.fp, g.fp+g.tn)
	g.Accuracy = rate(g.tp+g.tn, g.Rows)
	if g.Rows < least {
		g.Insufficient = fmt.Sprintf("it has %d rows, and %d are needed", g.Rows, least)
	}
}

// kinds are the rates that groups are compared by.
var kinds = []struct {
	rows string // that the rate comes from
	rate func(*Group) Rate
}{
	{"rows", func(g *Group) Rate { return g.SelectionRate }},
	{"positives", func(g *Group) Rate { return g.TPR }},
	{"negatives", func(g *Group) Rate { return g.FPR }},
}

const (
	selection = iota
	truePositive
	falsePositive
)

// gap is how far groups are apart in one rate.
type gap struct {
	difference, ratio float64
	missing           string // why it is no evidence
	known             bool   // there is a figure, be it no evidence
}

// measure adds the metrics. Every one that a group which is too small has part in
// is missing, with the figure of the other groups as its Partial.
func (f *Fairness) measure() {
	for _, method := range []struct {
		suffix string
		gap    func(*Fairness, int) gap
	}{{"", (*Fairness).between}, {"_to_overall", (*Fairness).toOverall}} {
		parity, opportunity, alarm := method.gap(f, selection), method.gap(f, truePositive), method.gap(f, falsePositive)
		f.add("demographic_parity", method.suffix, parity)
		f.add("equal_opportunity", method.suffix, opportunity)
		odds := gap{missing: opportunity.missing, known: opportunity.known && alarm.known}
		if odds.missing == "" {
			odds.missing = alarm.missing
		}
		odds.difference = max(opportunity.difference, alarm.difference)
		odds.ratio = min(opportunity.ratio, alarm.ratio)
		f.add("equalized_odds", method.suffix, odds)
		odds.difference = (opportunity.difference + alarm.difference) / 2
		odds.ratio = (opportunity.ratio + alarm.ratio) / 2
		f.add("equalized_odds", "_mean"+method.suffix, odds)
	}
}

func (f *Fairness) add(name, suffix string, g gap) {
	for _, m := range []struct {
		name  string
		value float64
	}{{name + "_difference" + suffix, g.difference}, {name + "_ratio" + suffix, g.ratio}} {
		metric := Metric{Name: m.name, Missing: g.missing}
		switch {
		case !g.known:
		case g.missing != "":
			metric.Partial = &m.value
		default:
			metric.Value = &m.value
		}
		f.Metrics = append(f.Metrics, metric)
	}
}

// enough are the rates of the groups that have enough rows; why says what the
// others lack, or that there is nothing to compare.
func (f *Fairness) enough(kind int) (rates []float64, why string) {
	var small []string
	for i := range f.Groups {
		g := &f.Groups[i]
		r := kinds[kind].rate(g)
		if r.Insufficient || r.Value == nil {
			small = append(small, fmt.Sprintf("%s has %d", tabular.Clip(g.Name), r.Of))
			continue
		}
		rates = append(rates, *r.Value)
	}
	switch {
	case len(small) > 0:
		why = fmt.Sprintf("insufficient: %s %s, and %d are needed", strings.Join(small[:min(len(small), 5)], ", "), kinds[kind].rows, f.MinGroup)
		if len(small) > 5 {
			why += fmt.Sprintf("; so it is with %d more groups", len(small)-5)
		}
	case len(rates) < 2:
		why = "insufficient: there is one group only"
	}
	return rates, why
}

// between compares the greatest rate with the least.
func (f *Fairness) between(kind int) gap {
	rates, why := f.enough(kind)
	if len(rates) < 2 {
		return gap{missing: why}
	}
	low, high := slices.Min(rates), slices.Max(rates)
	return gap{difference: high - low, ratio: alike(low, high), missing: why, known: true}
}

// toOverall compares each group with everybody.
func (f *Fairness) toOverall(kind int) gap {
	rates, why := f.enough(kind)
	if len(rates) < 2 {
		return gap{missing: why}
	}
	all := *kinds[kind].rate(&f.Overall).Value // there is one, as groups have one
	g := gap{ratio: 1, missing: why, known: true}
	for _, rate := range rates {
		g.difference = max(g.difference, math.Abs(rate-all))
		g.ratio = min(g.ratio, alike(rate, all))
	}
	return g
}

// alike is the lesser by the greater, and 1 where both are 0.
func alike(a, b float64) float64 {
	if a == b {
		return 1
	}
	return min(a, b) / max(a, b)
}
