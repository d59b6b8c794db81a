package spec

import "time"

// Version is an entry of the registry: one version of a model, what it is made of
// and what it was made from. It is a block of the config repo, and never changes
// once it is there:
//
//	version "digits@1.2.0" { ... }
//
// All of its lineage is in it, so that losing every disk but the repo's loses none.
type Version struct {
	Model   string `json:"model"`   // served name
	Version string `json:"version"` // semantic version, without a leading v
	Pos     Pos    `json:"-"`

	// Artifact is what models take: oci://HOST/REPOSITORY@sha256:HEX, by the digest
	// of the manifest. oci://local/NAME is the daemon's own store.
	Artifact string `json:"artifact"`
	// Content is the digest of the files alone. Two runs that made the same bytes
	// have the same.
	Content string    `json:"content"`
	Created time.Time `json:"created"`

	Pipeline string            `json:"pipeline,omitempty"`
	Run      string            `json:"run,omitempty"`
	Commit   string            `json:"commit,omitempty"` // of the config repo, that the run was of
	Params   map[string]any    `json:"params,omitempty"` // string, float64 or bool
	Data     map[string]string `json:"data,omitempty"`   // digest by dataset
	// Steps tells of each step that the artifact depends on with which image it ran.
	Steps     map[string]VersionStep `json:"steps,omitempty"`
	Metrics   map[string]float64     `json:"metrics,omitempty"`
	Profile   string                 `json:"profile,omitempty"` // digest of the artifact with the reference profile
	Card      string                 `json:"card,omitempty"`    // path in the repo
	CardHash  string                 `json:"card_hash,omitempty"`
	Gates     []VersionGate          `json:"gates,omitempty"`
	Tolerance float64                `json:"tolerance,omitempty"` // of the metrics of a reproduction, absolute
	// Definition is the pipeline as it was run, so that it can be run again.
	Definition string `json:"definition,omitempty"` // JSON of the Pipeline
}

// ID is MODEL@VERSION.
func (v *Version) ID() string { return v.Model + "@" + v.Version }

// VersionStep is a step that a version was made by.
type VersionStep struct {
	Image  string            `json:"image"`            // pinned
	Key    string            `json:"key"`              // of the cache
	Values map[string]any    `json:"values,omitempty"` // of the matrix or the search
	Inputs map[string]string `json:"inputs,omitempty"` // digest by name
}

// VersionGate is the outcome of a gate or a policy for a version.
type VersionGate struct {
	Name       string `json:"name"`
	Outcome    string `json:"outcome"` // passed, failed, missing or overridden
	Detail     string `json:"detail,omitempty"`
	Regulation string `json:"regulation,omitempty"`
	Actor      string `json:"actor,omitempty"`  // who overrode it
	Reason     string `json:"reason,omitempty"` // and why
}

// Artifact is what a model's containers are given beside their image: files,
// content-addressed, mounted read-only.
type Artifact struct {
	Ref    string // oci://HOST/REPOSITORY@sha256:HEX
	Digest string // sha256:HEX, of the manifest
	Target string // directory in the container, absolute
}

// Card is a model card: a Markdown file of the config repo whose front matter
// holds the facts that policies ask about.
type Card struct {
	Path  string
	Facts map[string]any // as expr has values; nil without front matter
	Text  []byte         // the whole file
	Hash  string         // sha256:HEX of Text
}
