package spec

import (
	"fmt"
	"strings"
)

// Kind is the type of block that an Address points to.
type Kind string

// The kinds of object that have an address of their own.
const (
	KindModel      Kind = "model"
	KindSecret     Kind = "secret"
	KindSimulation Kind = "simulation"
	KindDataset    Kind = "dataset"
	KindPipeline   Kind = "pipeline"
	KindPolicy     Kind = "policy"
	KindVersion    Kind = "version"
	KindNotifier   Kind = "notifier"
	KindInclude    Kind = "include"
	KindStep       Kind = "step"    // a container of a run, never declared by itself
	KindGateway    Kind = "gateway" // made by Fairlead itself, never declared
)

// Address names one object of a Config, as users write it in references:
// model.digits, or model.digits["eu"] for an instance of a for_each block.
type Address struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`          // the block's label
	Key  string `json:"key,omitempty"` // the for_each key, empty without for_each
}

// String returns the address as it is written in HCL.
func (a Address) String() string {
	switch {
	case a.Name == "":
		return string(a.Kind)
	case a.Key == "":
		return string(a.Kind) + "." + a.Name
	default:
		return fmt.Sprintf("%s.%s[%q]", a.Kind, a.Name, a.Key)
	}
}

// ServedName is the one name under which the object is known outside HCL: in
// container names, labels and /v2/models/NAME. Instances are NAME-KEY.
func (a Address) ServedName() string {
	if a.Key == "" {
		return a.Name
	}
	return a.Name + "-" + a.Key
}

// MarshalText makes an Address a JSON string and map key.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// ParseAddress reads what String writes.
func ParseAddress(s string) (Address, error) {
	kind, rest, dotted := strings.Cut(s, ".")
	if !dotted {
		if Kind(kind) == KindGateway {
			return Address{Kind: KindGateway}, nil
		}
		return Address{}, fmt.Errorf("%q is not an address; write KIND.NAME, for example model.digits", s)
	}
	name, index, indexed := strings.Cut(rest, "[")
	a := Address{Kind: Kind(kind), Name: name}
	if indexed {
		key, closed := strings.CutSuffix(index, "]")
		if _, err := fmt.Sscanf(key, "%q", &a.Key); err != nil || !closed || a.Key == "" {
			return Address{}, fmt.Errorf("%q is not an address; write an instance as model.NAME[\"KEY\"]", s)
		}
	}
	switch a.Kind {
	case KindModel, KindSecret, KindSimulation, KindDataset, KindPipeline, KindPolicy, KindNotifier:
	default:
		return Address{}, fmt.Errorf("%q is not an address: there is no kind of object named %q; known are model, secret, simulation, dataset, pipeline, policy and notifier", s, kind)
	}
	if !ValidName(a.Name) {
		return Address{}, fmt.Errorf("%q is not an address: %q is not a name; names start with a letter and hold a-z, 0-9, _ and -", s, name)
	}
	return a, nil
}

// MaxName is the longest ServedName, in bytes. Container names carry it beside
// the owner, the environment and the revision.
const MaxName = 63

// ValidName tells whether s can name an object: a lower-case letter, then
// lower-case letters, digits, _ and -, at most MaxName bytes. It leaves out "."
// because "." separates the parts of container names.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return validNameRest(s)
}

// ValidKey tells whether s can be a for_each key: as ValidName, but a digit may
// come first.
func ValidKey(s string) bool {
	return s != "" && len(s) <= MaxName && s[0] != '-' && s[0] != '_' && validNameRest(s)
}

func validNameRest(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Pos is where something was declared.
type Pos struct {
	File   string `json:"file,omitempty"` // path in the config repo
	Line   int    `json:"line,omitempty"` // from 1
	Column int    `json:"column,omitempty"`
}

// String is file:line, or empty where there is no position.
func (p Pos) String() string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
