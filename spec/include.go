package spec

import "strings"

// IncludeDir is where the trees of included repos are mounted in the tree of the
// root: the files of the include NAME lie below .fairlead/include/NAME/.
const IncludeDir = ".fairlead/include/"

// RootName is how the journal calls the repo that includes others; no include has it.
const RootName = "root"

// Include composes another repository into this one.
type Include struct {
	Name string `json:"name"` // label of the block
	Pos  Pos    `json:"pos,omitzero"`
	Repo string `json:"repo"`           // URL
	Path string `json:"path,omitempty"` // of its specs
	Ref  string `json:"ref,omitempty"`  // branch that is followed, or a full commit id; "": its default branch
	// Prefix begins the name of everything that it declares, and with - for _ and
	// between slashes the path of its routes: with team_a_, models are team_a_NAME and
	// routes below /team-a/.
	Prefix string `json:"prefix"`
	// Token is the name of the root's secret that the repo is fetched with. Without
	// one nothing is sent that proves who asks, but to the root's own host.
	Token string `json:"token,omitempty"`
	// Allow is what it may ask for beyond its own, sorted.
	Allow []Grant `json:"allow,omitempty"`
	Trust *Trust  `json:"trust,omitempty"` // that it starts with; nil: as the root is judged
}

// Grant is something that only the root has, unless it shares that with an include.
type Grant string

// The grants.
const (
	// GrantHost: what the operator allows specs to ask of the daemon's host, such as
	// volumes, directories, devices and privileges.
	GrantHost Grant = "host"
	// GrantPublish: any repository that the daemon's credentials can write to.
	GrantPublish Grant = "publish"
)

// Mount is the directory below which its files are mounted, with a / at its end.
func (i *Include) Mount() string { return IncludeDir + i.Name + "/" }

// RoutePath is the path below which its routes lie: /team-a for the prefix team_a_.
func (i *Include) RoutePath() string {
	return "/" + strings.ReplaceAll(strings.TrimRight(i.Prefix, "_-"), "_", "-")
}
