package judge

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairlead/fairlead/spec"
)

// `make bench-judge` asks for 10,000; a usual run of the tests for fewer.
var rollouts = flag.Int("rollouts", 100, "how many rollouts the tests of the judge simulate")

// setting is one kind of world for rollouts in which nothing is wrong.
type setting struct {
	rate   float64 // requests per second
	law    law
	unit   float64
	errors errorLaw
}

type errorLaw struct {
	name string
	at   func(minute float64) float64
}

var (
	rates     = []float64{0.2, 2, 20, 100}
	units     = []float64{1e-6, 1e-3, 1, 1e3, 1e6}
	errorLaws = []errorLaw{
		{"hardly ever, 0.01 %", func(float64) float64 { return 1e-4 }},
		{"1 %", func(float64) float64 { return 0.01 }},
		{"30 %", func(float64) float64 { return 0.3 }},
		{"0.2 % to 5 %, in waves", func(m float64) float64 { return 0.026 - 0.024*math.Cos(m/2) }},
		{"bursts of 40 %", func(m float64) float64 {
			if math.Mod(m, 7) < 1 {
				return 0.4
			}
			return 0.001
		}},
	}
)

// settings takes every combination in turn.
func settingOf(i int) setting {
	s := setting{rate: rates[i%len(rates)]}
	i /= len(rates)
	s.law = laws[i%len(laws)]
	i /= len(laws)
	s.errors = errorLaws[i%len(errorLaws)]
	i /= len(errorLaws)
	s.unit = units[i%len(units)]
	return s
}

// An A/A rollout: 5 %, 25 %, 50 %, each for 8 looks a minute apart; the traffic,
// its latencies and its errors go up and down for both sides alike. Bounds allow
// nothing beyond stable, which is where alarms are likeliest.
func alarm(s setting, seed uint64) []bool {
	t := &traffic{
		random: rand.New(rand.NewPCG(seed, 1)), unit: s.unit, law: s.law, errors: s.errors.at,
		level: func(m float64) float64 { return math.Exp(0.3 * math.Sin(m/5)) },
	}
	highest := 0.0
	for m := range 30 {
		highest = max(highest, s.errors.at(float64(m)))
	}
	p := newPanel(
		spec.Check{Name: "errors", Metric: spec.ErrorRatio, MaxVsStable: limit(1), MinSamples: 5},
		spec.Check{Name: "errors, tolerant", Metric: spec.ErrorRatio, MaxVsStable: limit(1.00001), Max: limit(highest), MinSamples: 5},
		spec.Check{Name: "p50", Metric: spec.LatencyP50, MaxVsStable: limit(1), MinVsStable: limit(1), MinSamples: 5},
		spec.Check{Name: "p99", Metric: spec.LatencyP99, MaxVsStable: limit(1), MinSamples: 5},
		spec.Check{Name: "scores", Metric: spec.ScoreShift, Max: limit(0), MinSamples: 5},
	)
	at, minute := begin, 0
	t.serve(Stable, t.poisson(60*s.rate), 0, 1, 1)
	p.look(t, 0, at)
	for _, share := range []float64{0.05, 0.25, 0.5} {
		for i := range p.evidence {
			p.evidence[i] = p.evidence[i].Enter(at)
		}
		for range 8 {
			minute, at = minute+1, at.Add(time.Minute)
			busy := 60 * s.rate * (1 + 0.5*math.Sin(float64(minute)/4))
			t.serve(Candidate, t.poisson(share*busy), float64(minute), 1, 1)
			t.serve(Stable, t.poisson((1-share)*busy), float64(minute), 1, 1)
			p.look(t, share, at)
		}
	}
	return p.failed
}

// tallied counts alarms of one kind of rollouts.
type tallied struct{ alarms, rollouts int }

// interval is the exact 95 % interval of the rate (Clopper and Pearson, 1934).
func (c tallied) interval() (low, high float64) {
	x, n := float64(c.alarms), float64(c.rollouts)
	if x > 0 {
		low = distuv.Beta{Alpha: x, Beta: n - x + 1}.Quantile(0.025)
	}
	high = 1
	if x < n {
		high = distuv.Beta{Alpha: x + 1, Beta: n - x}.Quantile(0.975)
	}
	return low, high
}

// parallel calls f for each of n seeds, on all processors.
func parallel(n int, f func(i int)) {
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wait.Wait()
}

func TestFalseAlarms(t *testing.T) {
	failed := make([][]bool, *rollouts)
	parallel(*rollouts, func(i int) { failed[i] = alarm(settingOf(i), uint64(i)) })

	var all tallied
	byCheck := make([]int, 5)
	counts := map[string]*tallied{}
	for i, checks := range failed {
		s, alarms := settingOf(i), 0
		for c, bad := range checks {
			if bad {
				byCheck[c]++
				alarms = 1
			}
		}
		all.rollouts++
		all.alarms += alarms
		for _, name := range []string{
			fmt.Sprintf("%g requests/s", s.rate), s.law.name, "errors: " + s.errors.name, fmt.Sprintf("unit %g", s.unit),
		} {
			if counts[name] == nil {
				counts[name] = &tallied{}
			}
			counts[name].rollouts++
			counts[name].alarms += alarms
		}
	}
	var table strings.Builder
	row := func(name string, c tallied) {
		low, high := c.interval()
		fmt.Fprintf(&table, "\t%-32s %9d %7d %7.2f %%   %.2f to %.2f %%\n", name, c.rollouts, c.alarms,
			100*float64(c.alarms)/float64(c.rollouts), 100*low, 100*high)
	}
	fmt.Fprintf(&table, "\t%-32s %9s %7s %9s   %s\n", "A/A rollouts", "rollouts", "alarms", "rate", "95 % interval")
	row("all", all)
	for _, section := range [][]string{names(rates, "%g requests/s"), lawNames(), errorNames(), names(units, "unit %g")} {
		for _, name := range section {
			if c := counts[name]; c != nil {
				row(name, *c)
			}
		}
	}
	t.Logf("\n%s\talarms by check: %v", table.String(), byCheck)
	if low, _ := all.interval(); low > Budget {
		t.Errorf("%d of %d rollouts failed although nothing was wrong", all.alarms, all.rollouts)
	}
	if float64(all.alarms) > Budget*float64(all.rollouts) && all.rollouts >= 10000 {
		t.Errorf("the rate of false alarms is above %g %%", 100*Budget)
	}
}

func names(values []float64, format string) []string {
	var list []string
	for _, v := range values {
		list = append(list, fmt.Sprintf(format, v))
	}
	return list
}

func lawNames() []string {
	var list []string
	for _, l := range laws {
		list = append(list, l.name)
	}
	return list
}

func errorNames() []string {
	var list []string
	for _, e := range errorLaws {
		list = append(list, "errors: "+e.name)
	}
	return list
}

// fault is something wrong with a candidate.
type fault struct {
	name          string
	slower, worse float64
	check         spec.Check // which should find it
	law           law
}

func faults() []fault {
	var list []fault
	errors := spec.Check{Metric: spec.ErrorRatio, MaxVsStable: limit(1), MinSamples: 5}
	for _, worse := range []float64{1, 2, 5, 10} {
		list = append(list, fault{name: fmt.Sprintf("errors x%g, of 1 %%", worse), slower: 1, worse: worse, check: errors, law: laws[0]})
	}
	for _, l := range laws[:3] {
		for _, metric := range []spec.Metric{spec.LatencyP50, spec.LatencyP99} {
			for _, slower := range []float64{1, 1.1, 1.25, 1.5} {
				check := spec.Check{Metric: metric, MaxVsStable: limit(1), MinSamples: 5}
				name := fmt.Sprintf("%s +%.0f %%, %s", strings.TrimPrefix(string(metric), "latency_"), 100*(slower-1), l.name)
				list = append(list, fault{name: name, slower: slower, worse: 1, check: check, law: l})
			}
		}
	}
	return list
}

// detect runs one rollout with a fault: 50 looks at half of the traffic each, with
// n requests a side in all. Fairlead's check shares the budget with two others. The
// other judge sees the same requests, as 50 points a side.
func detect(f fault, n int, unit float64, seed uint64) (ours, theirs bool) {
	t := &traffic{
		random: rand.New(rand.NewPCG(seed, 2)), unit: unit, law: f.law,
		errors: func(float64) float64 { return 0.01 }, level: func(float64) float64 { return 1 },
	}
	var candidate, stable []float64
	point := func(side Side, before counters) float64 {
		c := *t.counters.of(side)
		if f.check.Metric == spec.ErrorRatio {
			return (c.errors - before.errors) / (c.requests - before.requests)
		}
		x, _ := quantile(c.recent.histogram(), quantileOf(f.check.Metric))
		return x
	}
	e, alpha, at := Evidence{}, Budget/3, begin
	t.serve(Stable, n/50, 0, 1, 1)
	for minute := range 51 {
		counts, distributions := t.read(at)
		r := distributions
		if f.check.Metric == spec.ErrorRatio {
			r = counts
		}
		var verdict Verdict
		e, verdict = Look(f.check, vars, alpha, e, r)
		ours = ours || verdict.Outcome == Fail
		if minute == 50 {
			break
		}
		before := t.counters
		t.serve(Candidate, n/50, 0, f.slower, f.worse)
		t.serve(Stable, n/50, 0, 1, 1)
		at = at.Add(time.Minute)
		candidate = append(candidate, point(Candidate, before.Candidate))
		stable = append(stable, point(Stable, before.Stable))
	}
	return ours, kayentaHigh(candidate, stable)
}

func TestPower(t *testing.T) {
	trials := max(10, *rollouts/50)
	sizes, list := []int{500, 2000, 10000, 40000}, faults()
	if *rollouts < 1000 {
		sizes, list = sizes[:2], list[:12]
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\t%-36s", "requests a side")
	for _, n := range sizes {
		fmt.Fprintf(&table, " %12s", number(float64(n)))
	}
	table.WriteString("\n")
	found := map[string][]float64{}
	for k, f := range list {
		fmt.Fprintf(&table, "\t%-36s", f.name)
		for _, n := range sizes {
			ours, theirs := make([]bool, trials), make([]bool, trials)
			parallel(trials, func(i int) { ours[i], theirs[i] = detect(f, n, 1, uint64(1000*k+i)) })
			a, b := share(ours), share(theirs)
			found[f.name] = append(found[f.name], a)
			fmt.Fprintf(&table, " %12s", fmt.Sprintf("%3.0f |%4.0f", 100*a, 100*b))
		}
		table.WriteString("\n")
	}
	t.Logf("\n\tdetected, in %% of %d rollouts: Fairlead | Mann-Whitney in the manner of Kayenta\n%s", trials, table.String())
	for _, name := range []string{"errors x10, of 1 %", "p50 +50 %, lognormal, sigma 0.2", "p99 +50 %, lognormal, sigma 0.2"} {
		if power := found[name]; power[1] < 0.95 {
			t.Errorf("%s is found in only %.0f %% of rollouts with 2,000 requests a side", name, 100*power[1])
		}
	}
}

func share(of []bool) float64 {
	n := 0
	for _, yes := range of {
		if yes {
			n++
		}
	}
	return float64(n) / float64(len(of))
}

// The same requests in other units are found all the same.
func TestPowerDoesNotDependOnTheUnit(t *testing.T) {
	f := fault{name: "p50", slower: 1.5, worse: 1, law: laws[0], check: spec.Check{Metric: spec.LatencyP50, MaxVsStable: limit(1), MinSamples: 5}}
	for k := -9; k <= 9; k++ {
		for seed := range uint64(3) {
			if found, _ := detect(f, 2000, math.Pow(10, float64(k)), seed); !found {
				t.Errorf("in units of 1e%d it is not found", k)
			}
		}
	}
}
