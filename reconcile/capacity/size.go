package capacity

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
)

// Size is what containers may take at the most.
type Size struct {
	NanoCPUs int64 // whole numbers, so that sums do not depend on their order
	Memory   int64 // bytes
	GPUs     int64
}

func (s Size) plus(o Size) Size {
	return Size{s.NanoCPUs + o.NanoCPUs, s.Memory + o.Memory, s.GPUs + o.GPUs}
}

func (s Size) minus(o Size) Size {
	return Size{s.NanoCPUs - o.NanoCPUs, s.Memory - o.Memory, s.GPUs - o.GPUs}
}

// atLeast is the larger of the two, resource by resource.
func (s Size) atLeast(o Size) Size {
	return Size{max(s.NanoCPUs, o.NanoCPUs), max(s.Memory, o.Memory), max(s.GPUs, o.GPUs)}
}

// sizeOf is what n containers of a revision take. GPUs that are named by their
// ids, and all of them, are shared by the replicas: that is what the spec says
// when it gives each the same ones.
func sizeOf(in *reconcile.RevisionInputs, n int, engine reconcile.Engine) Size {
	if n == 0 {
		return Size{}
	}
	s := Size{NanoCPUs: int64(math.Round(in.CPUs*1e9)) * int64(n), Memory: in.Memory * int64(n)}
	switch {
	case in.GPUCount < 0:
		s.GPUs = int64(engine.GPUs)
	case len(in.GPUIDs) > 0:
		distinct := map[string]bool{}
		for _, id := range in.GPUIDs {
			distinct[id] = true
		}
		s.GPUs = int64(len(distinct))
	default:
		s.GPUs = int64(in.GPUCount) * int64(n)
	}
	return s
}

// resource is one column of a Size, with its words.
type resource struct {
	of   func(Size) int64
	text func(int64) string
	noun string // behind the amount, where the text does not say it
}

// resources are the columns, in the order in which people are told of them.
func resources() []resource {
	return []resource{
		{func(s Size) int64 { return s.Memory }, bytesText, " of memory"},
		{func(s Size) int64 { return s.NanoCPUs }, func(n int64) string { return counted(float64(n)/1e9, "CPU") }, ""},
		{func(s Size) int64 { return s.GPUs }, func(n int64) string { return counted(float64(n), "GPU") }, ""},
	}
}

// bytesText is a size as people say it: 1.5 GiB.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for ; v >= 1024 && unit < len(units)-1; unit++ {
		v /= 1024
	}
	return decimal(v) + " " + units[unit]
}

func counted(v float64, noun string) string {
	if v != 1 {
		noun += "s"
	}
	return decimal(v) + " " + noun
}

// decimal has two digits behind the point at the most, and none that say nothing.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// are puts the verb behind an amount.
func are(amount string) string {
	if strings.HasPrefix(amount, "1 ") {
		return fmt.Sprintf("%s is", amount)
	}
	return fmt.Sprintf("%s are", amount)
}
