package main

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
)

// passes yields n digits: all of them once, in their order, and then again and
// again, mixed anew for each pass. A gateway that shares requests out by turns
// would give one version the same digits in every pass otherwise, and two versions
// that read alike would look different.
func passes(digits []data.Digit, n int) iter.Seq[data.Digit] {
	return func(yield func(data.Digit) bool) {
		random := rand.New(rand.NewPCG(1, 0))
		order := make([]int, len(digits))
		for i := range order {
			order[i] = i
		}
		for i := range n {
			at := i % len(order)
			if at == 0 && i > 0 {
				random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
			}
			if !yield(digits[order[at]]) {
				return
			}
		}
	}
}

// maxRate is far more than one connection can carry.
const maxRate = 100_000

// pace keeps requests to a rate. It never makes up for time lost: a server that was
// slow for a while is not punished with a burst.
type pace struct{ ticker *time.Ticker } // nil: no limit

func newPace(perSecond int) pace {
	if perSecond == 0 {
		return pace{}
	}
	return pace{time.NewTicker(time.Second / time.Duration(perSecond))}
}

// wait returns when the next request is due, or when ctx ends.
func (p pace) wait(ctx context.Context) {
	if p.ticker == nil {
		return
	}
	select {
	case <-p.ticker.C:
	case <-ctx.Done():
	}
}

func (p pace) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}
