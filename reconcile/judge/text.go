package judge

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sentence says what was measured, what is allowed, and how strong the case is.
func (l *look) sentence(b bound, compared Pair[float64]) string {
	parts := []string{l.figures()}
	switch kindOf(l.check) {
	case ofQuantile:
		parts = append(parts, allowed(b, duration), l.beyond(b))
	case ofShift:
		parts = append(parts, allowed(b, plainNumber))
	default:
		parts = append(parts, allowed(b, percent))
	}
	parts = append(parts, l.strength())
	return strings.Join(parts, "; ")
}

// figures is what was measured on both sides.
func (l *look) figures() string {
	e, v := l.evidence, l.verdict
	switch kindOf(l.check) {
	case ofErrors:
		text := fmt.Sprintf("%s of %s failed", orNone(v.Candidate, percent), counted(e.Total.Candidate, "request"))
		if v.Stable != nil {
			text += fmt.Sprintf(", stable %s of %s", percent(*v.Stable), number(e.Total.Stable))
		}
		return text
	case ofAgreement:
		return fmt.Sprintf("%s of %s agree with stable's", orNone(v.Candidate, percent), counted(e.Total.Candidate, "answer"))
	case ofShift:
		return fmt.Sprintf("the distributions of output %s are %s apart by %s, stable %s", l.vars.Output,
			orNone(v.Candidate, plainNumber), counted(e.Total.Candidate, "value"), number(e.Total.Stable))
	default:
		text := fmt.Sprintf("p%.0f is %s in %s", 100*quantileOf(l.check.Metric), orNone(v.Candidate, duration), counted(e.Total.Candidate, "request"))
		if v.Stable != nil {
			text += fmt.Sprintf(", stable %s in %s", duration(*v.Stable), number(e.Total.Stable))
		}
		return text
	}
}

// beyond tells the counts that a verdict on latency rests on.
func (l *look) beyond(b bound) string {
	for i, other := range bounds(l.check) {
		if other.kind != b.kind || i >= len(l.evidence.Cases) {
			continue
		}
		c := l.evidence.Cases[i]
		share := percent(part(c.Hits.Candidate, c.Requests.Candidate))
		word, exceed := "longer", "exceed"
		if b.kind == atLeast || b.kind == atLeastOfStable {
			word, exceed = "no longer", "do not exceed"
		}
		if !b.relative() {
			return fmt.Sprintf("%s took %s than that", share, word)
		}
		return fmt.Sprintf("%s took %s than %s times a time that %s of stable's %s", share, word, plainNumber(b.limit), percent(part(c.Hits.Stable, c.Requests.Stable)), exceed)
	}
	return ""
}

// samples is a number of what the check counts.
func (l *look) samples(n float64) string {
	things := map[kind]string{ofAgreement: "answer", ofShift: "value"}
	return counted(math.Floor(n), cmp.Or(things[kindOf(l.check)], "request"))
}

func part(a, of float64) float64 {
	if of <= 0 {
		return 0
	}
	return a / of
}

// strength says how strong the case against the candidate is, as a bet would: what the
// samples have made of 1 that was put on its being beyond the bound.
func (l *look) strength() string {
	fails := number(math.Round(l.verdict.Threshold)) + " to 1"
	switch e := l.verdict.Evidence; {
	case e <= 1:
		return "nothing speaks against it (it fails at odds of " + fails + ")"
	case e >= maxEvidence:
		return "the odds against it are above " + number(e) + " to 1 (it fails at " + fails + ")"
	case e < 10:
		return "the odds against it are " + plainNumber(math.Floor(10*e)/10) + " to 1 (it fails at " + fails + ")"
	default:
		return "the odds against it are " + number(math.Floor(e)) + " to 1 (it fails at " + fails + ")"
	}
}

// allowed says what a bound allows.
func allowed(b bound, format func(float64) string) string {
	switch b.kind {
	case atMost:
		return "at most " + format(b.limit) + " is allowed"
	case atLeast:
		return "at least " + format(b.limit) + " is demanded"
	case atMostOfStable:
		return "at most " + plainNumber(b.limit) + " times stable's is allowed"
	default:
		return "at least " + plainNumber(b.limit) + " times stable's is demanded"
	}
}

func orNone(x *float64, format func(float64) string) string {
	if x == nil {
		return "unknown"
	}
	return format(*x)
}

// counted is a number of things: "1 request", "7,801 requests".
func counted(n float64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// number writes a count with separators: 7,801.
func number(x float64) string {
	digits := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if negative {
		return "-" + digits
	}
	return digits
}

// plainNumber writes a value to four digits.
func plainNumber(x float64) string {
	if x != 0 && (math.Abs(x) < 1e-4 || math.Abs(x) >= 1e6) {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return significant(x, 4)
}

// percent writes a ratio to two digits: 0.0524 is 5.2 %.
func percent(x float64) string {
	if x > 0.99 && x < 1 {
		// 99.97 % is not 100 %.
		return significant(math.Floor(x*1e4)/1e2, 4) + " %"
	}
	return significant(100*x, 2) + " %"
}

// duration writes seconds to three digits in the unit that suits them.
func duration(seconds float64) string {
	switch abs := math.Abs(seconds); {
	case abs >= 1 || abs == 0:
		return significant(seconds, 3) + " s"
	case abs >= 1e-3:
		return significant(1e3*seconds, 3) + " ms"
	default:
		return significant(1e6*seconds, 3) + " µs"
	}
}

// significant writes x with so many digits, or all of those before the point.
func significant(x float64, digits int) string {
	if x == 0 {
		return "0"
	}
	after := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(x)))))
	text := strconv.FormatFloat(x, 'f', after, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
