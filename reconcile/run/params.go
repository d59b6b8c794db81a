package run

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// fillParams checks the parameters that were given and adds the defaults of the
// others. What came as text is read as the type that is declared.
func fillParams(p *spec.Pipeline, given map[string]any) (map[string]any, error) {
	filled := map[string]any{}
	var names []string
	for _, param := range p.Params {
		names = append(names, param.Name)
		value, isGiven := given[param.Name]
		if !isGiven {
			value = param.Default
		}
		if value == nil {
			return nil, fmt.Errorf("pipeline %s needs the parameter %s, which has no default; give it with -p %s=VALUE", p.Name, param.Name, param.Name)
		}
		converted, err := convertParam(param, value)
		if err != nil {
			return nil, err
		}
		filled[param.Name] = converted
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			known := "it has none"
			if len(names) > 0 {
				known = "it has " + strings.Join(names, ", ")
			}
			return nil, fmt.Errorf("pipeline %s has no parameter %q; %s", p.Name, name, known)
		}
	}
	if len(filled) == 0 {
		return nil, nil
	}
	return filled, nil
}

func convertParam(p spec.Param, value any) (any, error) {
	text, isText := value.(string)
	switch p.Type {
	case spec.ParamNumber:
		if number, is := value.(float64); is {
			return number, nil
		}
		if number, err := strconv.ParseFloat(text, 64); isText && err == nil && number-number == 0 {
			return number, nil
		}
	case spec.ParamBool:
		if b, is := value.(bool); is {
			return b, nil
		}
		if b, err := strconv.ParseBool(text); isText && err == nil {
			return b, nil
		}
	default:
		if isText {
			return text, nil
		}
	}
	return nil, fmt.Errorf("the parameter %s is a %s; %v is none", p.Name, p.Type, value)
}
