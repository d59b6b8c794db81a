// Package footprint keeps the memory of a process that runs all day small.
//
// What a process has resident is of two kinds. Anonymous memory (RssAnon in
// /proc/PID/status) is its own: heap, stacks. Nothing else can use it. The other
// (RssFile) is pages of files that it has mapped, above all of its own program: page
// cache, which the kernel takes back when it needs room.
package footprint
