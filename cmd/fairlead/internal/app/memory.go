package app

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
)

// gcPercent is two fifths of Go's default. A daemon holds its memory all day beside
// models that want it, and makes garbage for moments: at a commit, and while models
// come up. With 1,000 models at rest (make bench) 40 has 64 MB and takes 0.73 % of a
// core, 20 has 58 MB and takes 1.10 %.
const gcPercent = 40

// collectOften has garbage collected at gcPercent.
func collectOften() {
	if os.Getenv("GOGC") == "" { // else the operator knows better
		debug.SetGCPercent(gcPercent)
	}
}

// memoryRelease gives memory back to the system when a commit has been carried out, and a
// while later, when what follows from it is done too: bringing up many models takes
// several times of what looking after them does.
type memoryRelease struct {
	due  int // times that it is still to be done
	last time.Time
}

// releasePause keeps models that come and go from costing more than they hold.
const releasePause = 30 * time.Second

func (r *memoryRelease) decided(s *controller.Status, now time.Time) {
	if !s.Converged {
		r.due = 2
		return
	}
	if r.due == 0 || now.Sub(r.last) < releasePause {
		return
	}
	r.due, r.last = r.due-1, now
	debug.FreeOSMemory()
}
