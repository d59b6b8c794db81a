package view

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Validated says that specs are in order.
func (v *View) Validated(environments []string, models map[string]int) error {
	var parts []string
	for _, name := range environments {
		if name == "" {
			name = spec.DefaultEnvironment
		}
		n := models[name]
		if n == 0 {
			n = models[""]
		}
		parts = append(parts, fmt.Sprintf("%s (%d models)", name, n))
	}
	return v.Line(fmt.Sprintf("%s Valid: %s.", v.paint(green, "✓"), strings.Join(parts, ", ")))
}
