package evaluate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ranked adds what comes from scores and probabilities.
func (p *Predictions) ranked(r *Report, c *classes) error {
	var of []int32
	if p.o.Probabilities != "" {
		var err error
		if of, err = c.probabilityClasses(p); err != nil {
			return err
		}
	}
	if r.Task == Multiclass {
		if p.o.Score != "" {
			return errors.New("a score is of one positive class, and there are several; give the probabilities of all classes")
		}
		if of != nil {
			p.ofClasses(r, c, of)
		}
		return nil
	}
	scores := p.scores
	if of != nil {
		at := slices.Index(of, c.positive)
		if at < 0 {
			return fmt.Errorf("no column like %s holds the probability of the positive class %s", p.o.Probabilities, r.Positive)
		}
		scores = p.probabilitiesOf(at)
	}
	if scores != nil {
		p.ofPositive(r, c, scores)
	}
	return nil
}

func (p *Predictions) probabilitiesOf(column int) []float64 {
	probabilities := make([]float64, p.rows)
	for i := range probabilities {
		probabilities[i] = p.probabilities[i*len(p.probable)+column]
	}
	return probabilities
}

// ofPositive adds the metrics of the score of the positive class.
func (p *Predictions) ofPositive(r *Report, c *classes, scores []float64) {
	rank := newRanking(c.truth, c.positive, scores)
	switch {
	case rank.positives == 0:
		r.miss("roc_auc", "no row is of the positive class")
		r.miss("average_precision", "no row is of the positive class")
	case rank.negatives == 0:
		r.miss("roc_auc", "every row is of the positive class")
		r.add("average_precision", rank.averagePrecision)
	default:
		r.add("roc_auc", rank.auc)
		r.add("average_precision", rank.averagePrecision)
	}
	if slices.Min(scores) < 0 || slices.Max(scores) > 1 {
		const why = "the score is no probability from 0 to 1"
		r.miss("log_loss", why)
		r.miss("brier", why)
		r.miss("ece", why)
		return
	}
	var loss, squares float64
	bins := newCalibration(p.o.Bins)
	for i, score := range scores {
		truth := 0.0
		if c.truth[i] == c.positive {
			truth = 1
			loss += surprise(score)
		} else {
			loss += surprise(1 - score)
		}
		squares += (truth - score) * (truth - score)
		bins.add(score, truth)
	}
	n := float64(p.rows)
	r.add("log_loss", loss/n)
	r.add("brier", squares/n)
	r.add("ece", bins.error(n))
}

// epsilon is the distance from 1 to the next float64, the least probability that
// log_loss takes.
const epsilon = 0x1p-52

// surprise of what had a probability.
func surprise(probability float64) float64 {
	return -math.Log(min(max(probability, epsilon), 1-epsilon))
}

// ofClasses adds the metrics of the probabilities of several classes.
func (p *Predictions) ofClasses(r *Report, c *classes, of []int32) {
	p.oneVersusRest(r, c, of)
	var loss, squares float64
	bins := newCalibration(p.o.Bins)
	k := len(of)
	for i, truth := range c.truth {
		row := p.probabilities[i*k : (i+1)*k]
		best := 0
		for j, probability := range row {
			want := 0.0
			if of[j] == truth {
				want = 1
				loss += surprise(probability)
			}
			squares += (want - probability) * (want - probability)
			if probability > row[best] {
				best = j
			}
		}
		right := 0.0
		if of[best] == truth {
			right = 1
		}
		bins.add(row[best], right)
	}
	n := float64(p.rows)
	r.add("log_loss", loss/n)
	r.add("brier", squares/n)
	r.add("ece", bins.error(n))
}

func (p *Predictions) oneVersusRest(r *Report, c *classes, of []int32) {
	const name = "roc_auc_ovr_macro"
	sum := 0.0
	for j, class := range of {
		rank := newRanking(c.truth, class, p.probabilitiesOf(j))
		if rank.positives == 0 || rank.negatives == 0 {
			r.miss(name, fmt.Sprintf("no row is of class %s, or every one", p.probable[j]))
			return
		}
		sum += rank.auc
	}
	r.add(name, sum/float64(len(of)))
}

// ranking is what the order of scores tells of a class.
type ranking struct {
	positives, negatives  float64
	auc, averagePrecision float64 // good if there are positives, and for auc negatives
}

func newRanking(truth []int32, positive int32, scores []float64) ranking {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var r ranking // counts so far
	for start := 0; start < len(order); {
		var positives, negatives float64 // of those with the same score
		end := start
		for ; end < len(order) && scores[order[end]] == scores[order[start]]; end++ {
			if truth[order[end]] == positive {
				positives++
			} else {
				negatives++
			}
		}
		r.auc += negatives * (r.positives + positives/2)
		r.positives += positives
		r.negatives += negatives
		r.averagePrecision += positives * r.positives / (r.positives + r.negatives)
		start = end
	}
	r.auc = ratio(r.auc, r.positives*r.negatives)
	r.averagePrecision = ratio(r.averagePrecision, r.positives)
	return r
}

// calibration holds the bins of the expected calibration error.
type calibration struct{ count, sure, right []float64 }

func newCalibration(bins int) *calibration {
	return &calibration{make([]float64, bins), make([]float64, bins), make([]float64, bins)}
}

func (c *calibration) add(probability, right float64) {
	n := float64(len(c.count))
	i := int(math.Ceil(probability*n)) - 1
	// The product rounds; what counts is the bound itself, i/n.
	if i > 0 && probability <= float64(i)/n {
		i--
	} else if probability > float64(i+1)/n {
		i++
	}
	i = min(max(i, 0), len(c.count)-1)
	c.count[i]++
	c.sure[i] += probability
	c.right[i] += right
}

func (c *calibration) error(n float64) float64 {
	sum := 0.0
	for i := range c.count {
		sum += math.Abs(c.right[i] - c.sure[i])
	}
	return sum / n
}
