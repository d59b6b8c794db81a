package evaluate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// classes are the truth and the predictions as numbers of classes.
type classes struct {
	names     []string // sorted
	truth     []int32  // of each row
	predicted []int32
	positive  int32 // -1: none
	notation  notation
}

// manyNumbers is from how many different whole numbers on it cannot be told whether
// they are classes.
const manyNumbers = 100

// decide tells what the task is.
func (p *Predictions) decide() (Task, error) {
	o := &p.o
	if o.Task != Auto {
		return o.Task, nil
	}
	if o.Score != "" || o.Probabilities != "" || o.Positive != "" || len(o.Sensitive) > 0 || p.labels.numbers == nil || p.predicted.numbers == nil {
		return p.classTask()
	}
	switch {
	case p.labels.fractional:
		return Regression, nil
	case p.predicted.fractional && p.labels.zeroOne() && p.predicted.shares():
		return "", fmt.Errorf("the label %s is 0 or 1, and the prediction %s looks like a score; name it as the score and the predicted class as the prediction, or set the task to regression", o.Label, o.Prediction)
	case p.predicted.fractional:
		return Regression, nil
	case p.labels.many || p.predicted.many || len(p.labels.names)+len(p.predicted.names) > 2*manyNumbers:
		return "", errors.New("there are many different whole numbers; set the task to regression or multiclass")
	}
	return p.classTask()
}

func (s *series) zeroOne() bool {
	return !slices.ContainsFunc(s.numbers, func(n float64) bool { return n != 0 && n != 1 })
}

func (s *series) shares() bool {
	return !slices.ContainsFunc(s.numbers, func(n float64) bool { return n < 0 || n > 1 })
}

func (p *Predictions) classTask() (Task, error) {
	n := notationOf(p.labels.names, p.predicted.names, p.probable)
	names := unionOf(n, p.labels.names, p.predicted.names, p.probable)
	if len(names) > 2 {
		return Multiclass, nil
	}
	return Binary, nil
}

// unionOf are the classes of several lists, sorted: numbers by value.
func unionOf(n notation, lists ...[]string) []string {
	var names []string
	for _, list := range lists {
		for _, name := range list {
			names = append(names, n.canonical(name))
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if n == asNumber {
			x, _ := tabular.Value{Text: a}.Number()
			y, _ := tabular.Value{Text: b}.Number()
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
	return slices.Compact(names)
}

// classes puts the truth and the predictions into classes.
func (p *Predictions) classes(task Task) (*classes, error) {
	if p.labels.many || p.predicted.many {
		return nil, fmt.Errorf("there are more than %d classes; if the label is a number, set the task to regression", MaxClasses)
	}
	n := notationOf(p.labels.names, p.predicted.names, p.probable)
	c := &classes{notation: n, positive: -1, names: unionOf(n, p.labels.names, p.predicted.names)}
	if task == Binary && len(c.names) > 2 {
		return nil, fmt.Errorf("there are %d classes, and the task is binary: %s; set the task to multiclass, or the label to whether it is the positive one", len(c.names), tabular.Names(c.names))
	}
	if err := c.findPositive(p.o.Positive, task); err != nil {
		return nil, err
	}
	c.truth = c.recode(&p.labels)
	if p.o.Prediction != "" {
		c.predicted = c.recode(&p.predicted)
		return c, nil
	}
	return c, c.likeliest(p)
}

// findPositive adds the positive class, should no row have it.
func (c *classes) findPositive(wanted string, task Task) error {
	switch {
	case wanted != "":
		wanted = c.notation.canonical(wanted)
		if !slices.Contains(c.names, wanted) && !c.alone(wanted) {
			return fmt.Errorf("the positive class %s is none of the classes %s", tabular.Clip(wanted), tabular.Names(c.names))
		}
	case task == Multiclass:
		return nil
	case c.notation == asBool:
		wanted = "true"
	case c.notation == asNumber && c.alone("1"):
		wanted = "1"
	default:
		return fmt.Errorf("the classes are %s; say which is the positive one, or set the task to multiclass", tabular.Names(c.names))
	}
	if !slices.Contains(c.names, wanted) {
		c.names = unionOf(c.notation, c.names, []string{wanted})
	}
	c.positive = int32(slices.Index(c.names, wanted))
	return nil
}

// alone tells whether the class is 1 or true, and beside it there is at most its
// opposite: so few that it may be that no row has it.
func (c *classes) alone(positive string) bool {
	for _, name := range c.names {
		switch {
		case name == positive:
		case positive == "1" && (name == "0" || name == "-1") && len(c.names) <= 2:
		case positive == "true" && name == "false":
		default:
			return false
		}
	}
	return len(c.names) < 2 || slices.Contains(c.names, positive)
}

func (c *classes) recode(s *series) []int32 {
	at := make([]int32, len(s.names))
	for i, name := range s.names {
		at[i] = int32(slices.Index(c.names, c.notation.canonical(name)))
	}
	codes := make([]int32, len(s.codes))
	for i, code := range s.codes {
		codes[i] = at[code]
	}
	return codes
}

// likeliest makes the class with the greatest probability, the first of several,
// the prediction.
func (c *classes) likeliest(p *Predictions) error {
	names := unionOf(c.notation, c.names, p.probable)
	if len(names) != len(c.names) { // one that is never the truth may be the likeliest
		if c.positive >= 0 {
			c.positive = int32(slices.Index(names, c.names[c.positive]))
		}
		c.names = names
		c.truth = c.recode(&p.labels)
	}
	of, err := c.probabilityClasses(p)
	if err != nil {
		return err
	}
	k := len(p.probable)
	c.predicted = make([]int32, p.rows)
	for i := range c.predicted {
		best := 0
		row := p.probabilities[i*k : (i+1)*k]
		for j, probability := range row {
			if probability > row[best] {
				best = j
			}
		}
		c.predicted[i] = of[best]
	}
	return nil
}

// probabilityClasses are the classes of the columns with probabilities. There must
// be one of each class that is the truth of a row.
func (c *classes) probabilityClasses(p *Predictions) ([]int32, error) {
	of := make([]int32, len(p.probable))
	for i, name := range p.probable {
		of[i] = int32(slices.Index(c.names, c.notation.canonical(name)))
		if j := slices.Index(of[:i], of[i]); of[i] >= 0 && j >= 0 {
			return nil, fmt.Errorf("two columns hold the probability of class %s", tabular.Clip(c.names[of[i]]))
		}
	}
	for class, name := range c.names {
		if !slices.Contains(of, int32(class)) && slices.Contains(c.truth, int32(class)) {
			return nil, fmt.Errorf("no column like %s holds the probability of class %s; there are those of %s", p.o.Probabilities, tabular.Clip(name), tabular.Names(p.probable))
		}
	}
	return of, nil
}
