package app

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// strayIdentities tells of each --age-identity that is for an include which cfg does not
// have: mostly a name that was mistyped, and the secrets of the one that was meant cannot
// be read.
func strayIdentities(c *Config, cfg *spec.Config) []string {
	var notes []string
	names := make([]string, 0, len(cfg.Includes))
	for _, i := range cfg.Includes {
		names = append(names, i.Name)
	}
	for _, of := range slices.Sorted(maps.Keys(c.Secrets.AgeIdentities)) {
		if of == "" || slices.Contains(names, of) {
			continue
		}
		note := fmt.Sprintf("--age-identity %s=%s decrypts nothing: there is no include %s", of, c.Secrets.AgeIdentities[of], of)
		if near := lang.Nearest(of, names); near != "" {
			note += fmt.Sprintf("; did you mean %s=?", near)
		}
		notes = append(notes, note)
	}
	return notes
}

// warnOfIdentities logs what strayIdentities tells of the revision that is followed now,
// where it is not what was logged for the one before.
func (s *Site) warnOfIdentities(cfg *spec.Config) {
	if s.log == nil { // of who applies once, and shows the plan
		return
	}
	var before []string
	if f := s.followed.Load(); f != nil {
		before = strayIdentities(&s.Config, f.cfg)
	}
	for _, note := range strayIdentities(&s.Config, cfg) {
		if !slices.Contains(before, note) {
			s.log.Warn(note)
		}
	}
}

// identityNotes are those of strayIdentities about the revision that is followed.
func (s *Site) identityNotes() []string {
	if f := s.followed.Load(); f != nil {
		return strayIdentities(&s.Config, f.cfg)
	}
	return nil
}
