package evaluate

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// Bounds of what is measured.
const (
	MaxClasses = 1000
	MaxGroups  = 1000
)

// Options say what the columns of a table are.
type Options struct {
	Task       Task   // "" is Auto
	Label      string // column of the truth
	Prediction string // column of the prediction; "" with Probabilities: the likeliest class
	Score      string // column that is the greater the surer the positive class; "": none
	// Probabilities is a pattern with one * for the columns with the probability of
	// each class, which the * stands for; "": none.
	Probabilities string
	Positive      string // class; "": 1 or true
	// Sensitive are columns to compare groups by. One with a comma, a,b, stands for
	// both and their intersection.
	Sensitive []string
	Reference map[string]string // group that disparities are to, by Sensitive; else the largest
	MinGroup  int               // rows that a rate of a group needs; 0: DefaultMinGroup
	Bins      int               // of ece; 0: DefaultBins
}

// Defaults of Options.
const (
	DefaultMinGroup = 30
	DefaultBins     = 15 // as Guo et al. 2017 have it
)

// Predictions are the columns of a table that are needed, in memory: some 50 bytes
// per row, and 8 for each class with a probability.
type Predictions struct {
	o             Options
	rows          int
	labels        series
	predicted     series // without rows if there is no column of it
	scores        []float64
	probabilities []float64 // of each row, as many as probable
	probable      []string  // classes with a column of probabilities
	sensitive     []series  // by sensitiveColumns
}

// Read takes in the rows of a table. A value that is missing where one is needed is
// an error with its line.
func Read(r *tabular.Reader, o Options) (*Predictions, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Predictions{o: o}
	row, err := r.Read() // jsonl has no columns before
	if errors.Is(err, io.EOF) {
		return nil, errors.New("there are no rows, so there is nothing to measure")
	}
	if err != nil {
		return nil, err
	}
	take, err := p.columns(r)
	if err != nil {
		return nil, err
	}
	for err == nil {
		for _, t := range take {
			if err := t(row); err != nil {
				return nil, fmt.Errorf("line %d: %w", row.Line, err)
			}
		}
		p.rows++
		row, err = r.Read()
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return p, nil
}

func (o *Options) check() error {
	switch o.Task {
	case "":
		o.Task = Auto
	case Auto, Binary, Multiclass, Regression:
	default:
		return fmt.Errorf("the task %q is not known; use auto, binary, multiclass or regression", o.Task)
	}
	if o.MinGroup == 0 {
		o.MinGroup = DefaultMinGroup
	}
	if o.Bins == 0 {
		o.Bins = DefaultBins
	}
	switch {
	case o.Label == "":
		return errors.New("say which column holds the truth, the label")
	case o.Prediction == "" && o.Probabilities == "":
		return errors.New("say which column holds the prediction, or which ones the probabilities of the classes")
	case o.Score != "" && o.Probabilities != "":
		return errors.New("give the score of the positive class or the probabilities of all classes, not both")
	case o.Probabilities != "" && strings.Count(o.Probabilities, "*") != 1:
		return fmt.Errorf("the pattern %q of the columns with probabilities needs one * in place of the class, like p_*", o.Probabilities)
	case o.MinGroup < 1 || o.Bins < 1:
		return errors.New("the least rows of a group and the bins are at least 1")
	case o.Task == Regression && (o.Score != "" || o.Probabilities != "" || o.Positive != "" || len(o.Sensitive) > 0):
		return errors.New("a regression has no classes, so a score, probabilities, a positive class or sensitive columns mean nothing to it")
	}
	return nil
}

// columns finds the columns, and says what to take of each row.
func (p *Predictions) columns(r *tabular.Reader) ([]func(*tabular.Row) error, error) {
	var take []func(*tabular.Row) error
	add := func(name string, takeValue func(tabular.Value) error) error {
		at, err := r.Column(name)
		take = append(take, func(row *tabular.Row) error {
			if err := takeValue(row.Values[at]); err != nil {
				return fmt.Errorf("column %s: %w", tabular.Clip(name), err)
			}
			return nil
		})
		return err
	}
	err := add(p.o.Label, p.labels.add)
	if p.o.Prediction != "" {
		err = errors.Join(err, add(p.o.Prediction, p.predicted.add))
	}
	if p.o.Score != "" {
		err = errors.Join(err, add(p.o.Score, p.addScore))
	}
	if p.o.Probabilities != "" {
		probabilities, perr := p.probabilityColumns(r.Columns())
		take = append(take, probabilities)
		err = errors.Join(err, perr)
	}
	names := p.o.sensitiveColumns()
	p.sensitive = make([]series, len(names))
	for i, name := range names {
		err = errors.Join(err, add(name, p.sensitive[i].addGroup))
	}
	return take, err
}

// sensitiveColumns are the columns of all of Sensitive, each once.
func (o *Options) sensitiveColumns() []string {
	var names []string
	seen := map[string]bool{}
	for _, set := range o.Sensitive {
		for name := range strings.SplitSeq(set, ",") {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func (p *Predictions) addScore(v tabular.Value) error {
	score, err := finite(v)
	p.scores = append(p.scores, score)
	return err
}

// maxOff is how far the probabilities of a row may be off 1, for they are printed
// with few digits.
const maxOff = 1e-3

func (p *Predictions) probabilityColumns(columns []string) (func(*tabular.Row) error, error) {
	before, after, _ := strings.Cut(p.o.Probabilities, "*")
	var at []int
	for i, name := range columns {
		if len(name) > len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
			at = append(at, i)
			p.probable = append(p.probable, name[len(before):len(name)-len(after)])
		}
	}
	if len(at) < 2 {
		return nil, fmt.Errorf("%d columns are like %s, and there are at least two classes; the columns are %s", len(at), p.o.Probabilities, tabular.Names(columns))
	}
	if len(at) > MaxClasses {
		return nil, fmt.Errorf("%d columns are like %s; there may be at most %d classes", len(at), p.o.Probabilities, MaxClasses)
	}
	return func(row *tabular.Row) error {
		sum := 0.0
		for i, column := range at {
			probability, err := finite(row.Values[column])
			if err == nil && (probability < 0 || probability > 1) {
				err = fmt.Errorf("%s is no probability from 0 to 1", tabular.Clip(row.Values[column].Text))
			}
			if err != nil {
				return fmt.Errorf("column %s: %w", tabular.Clip(columns[at[i]]), err)
			}
			p.probabilities = append(p.probabilities, probability)
			sum += probability
		}
		if math.Abs(sum-1) > maxOff {
			return fmt.Errorf("the probabilities of the classes add up to %v, and not to 1", sum)
		}
		return nil
	}, nil
}

// finite reads a number that must be there.
func finite(v tabular.Value) (float64, error) {
	if v.Missing {
		return 0, errMissing
	}
	number, is := v.Number()
	if !is || math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, fmt.Errorf("%s is no finite number", tabular.Clip(v.Text))
	}
	return number, nil
}

var errMissing = errors.New("the value is missing; leave out the rows that were not predicted or have no label yet")
