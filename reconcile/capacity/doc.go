// Package capacity says which models the engine has room for, before anything is
// started.
//
// A new revision runs beside the one that serves until it has proven itself, so a
// change needs room for both at full size, and for the release before, as long as
// that is kept for an instant way back:
//
//	recreate         the larger of stable and candidate, and what is kept
//	anything else    stable + candidate + what is kept
//
// What counts are the declared limits: cpus and memory that are not limited count
// as nothing, and so does what runs on the engine for somebody else. Memory and
// GPUs must fit as they are. CPUs may be promised more often than they exist, by
// a factor that the operator sets, since idle replicas use none.
//
// Room is given out in this order, by name within each group:
//
//  1. what runs keeps what it has, whatever the engine says now
//  2. rollouts under way, up to their end
//  3. running models, up to their replicas at the revision that serves
//  4. running models, for a new revision
//  5. models that do not run yet
//
// A model that does not fit takes nothing, so smaller ones behind it are not held
// up; and a model that comes new never takes the room of one that runs.
//
// Everything here is pure. [Check] is the one call for it: for each model
// without room, a sentence that says what is short and what would help.
package capacity
