//go:build !linux

package footprint

// ReleaseProgram does nothing on this system.
func ReleaseProgram() error { return nil }
