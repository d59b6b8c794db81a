// Package docker runs containers on a Docker Engine. It is the only package that
// knows Docker's API, and implements the port reconcile.Runtime.
//
// # What it touches
//
// Containers, the network and volumes of one [reconcile.Scope], told by their
// labels. An object without both labels of the scope is never listed, changed or
// removed, whatever its name; an id that somebody hands in is checked before
// anything is done to it.
//
// The images that gateways run from are the exception. They hold Fairlead itself
// and belong to no scope; loading one removes those of other builds that no
// container uses, whoever loaded them.
//
// # What a container gets
//
// [reconcile.ContainerSpec] is turned into Docker's own create request by a pure
// function (object.go), hardened by default: no new privileges, no capability, a
// limit of processes, no swap on top of the memory, bounded logs. Then the
// operator's [Policy] judges that request, not the spec it came from: every
// field of the API types is listed in the policy, and one that the list does not
// know is denied. That is why a mistake in the translation, or a field that a
// newer API gains, cannot widen what a spec may do.
//
// Directories that Fairlead itself made, for artifacts and for the steps of
// pipelines, are mounted in one form of their own: private, and without what is
// mounted below them. They need an engine on this host.
//
// # What it costs
//
// A List is one call. What the list does not carry (limits, exit times, restart
// counts) is inspected once per container and kept until something says that it
// changed: another state in the list, an event, or the audit interval, since an
// engine replays no more than 256 events and a lost one must not be for ever.
//
// The container of a step costs five calls from its creation to its removal:
// create, start, wait, inspect, remove; and one more to follow what it says.
//
// # When things fail
//
// Every call has a deadline. A create whose answer is lost may have happened, so
// it is looked up by name before it counts as failed. Errors that pass by
// themselves wrap reconcile.ErrUnavailable.
package docker
