// Package simulate runs rollouts in virtual time: a [World] is one model on an
// engine, behind a gateway, without delays of their own, and its clock jumps from
// one event to the next. It steps the very machine that runs in production, so a
// policy can be tried on declared traffic before it is merged, and the machine
// itself can be tested against every order of events.
package simulate
