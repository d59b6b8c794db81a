package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
)

// blockOf gives the HCL path of an input where it is not the JSON name itself.
var blockOf = map[string]string{
	"cpus": "resources.cpus", "memory": "resources.memory", "shm": "resources.shm", "pids": "resources.pids",
	"gpus": "resources.gpus", "gpu_ids": "resources.gpus", "ulimits": "resources.ulimit",
	"log_max_size": "logs.max_size", "log_max_files": "logs.max_files",
	"mounts": "mount", "secret_env": "env",
}

// changedInputs compares the inputs of an old container with the target's. known
// is false where the container carries none.
func changedInputs(old *reconcile.Container, t *reconcile.Target) (fields []Field, known bool) {
	was, known := reconcile.ParseInputs(old.Inputs)
	if !known {
		return nil, false
	}
	before, after := flatten(was), flatten(t.Inputs)
	paths := maps.Clone(before)
	maps.Copy(paths, after)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		b, a := before[path], after[path]
		switch {
		case b == a:
		case b.sensitive || a.sensitive:
			fields = append(fields, Field{Path: path, Replaces: true, Sensitive: true})
		case path == "image":
			fields = append(fields, Field{Path: path, Old: imageText(old.ImageRef, b.text), New: imageText(t.Image.Ref, a.text), Replaces: true})
		default:
			fields = append(fields, Field{Path: path, Old: b.text, New: a.text, Replaces: true})
		}
	}
	return fields, true
}

// imageText is the reference as written, and the digest where a tag hides it.
func imageText(ref, pin string) string {
	if ref == "" || strings.Contains(ref, "@") {
		return pin
	}
	_, digest, _ := strings.Cut(pin, "sha256:")
	return fmt.Sprintf("%s (sha256:%.12s)", ref, digest)
}

type leaf struct {
	text      string
	sensitive bool
}

// flatten turns inputs into path -> value, with the paths of HCL. Secrets become
// leaves that compare by name and version and show neither.
func flatten(in reconcile.RevisionInputs) map[string]leaf {
	leaves := map[string]leaf{}
	for name, use := range in.SecretEnv {
		leaves["env."+name] = leaf{use.Secret + "@" + use.Version, true}
	}
	for name, use := range in.SecretFiles {
		leaves["secrets."+name] = leaf{use.Secret + "@" + use.Version, true}
	}
	in.SecretEnv, in.SecretFiles = nil, nil
	in.ArtifactRef = "" // where the bytes are had from changes nothing
	data, err := json.Marshal(in)
	if err != nil {
		return leaves // see RevisionInputs.encode: it cannot be
	}
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return leaves
	}
	for name, value := range fields {
		path := name
		if block, other := blockOf[name]; other {
			path = block
		}
		nested, isMap := value.(map[string]any)
		if !isMap {
			leaves[path] = leaf{text: text(value)}
			continue
		}
		for key, v := range nested {
			leaves[path+"."+key] = leaf{text: text(v)}
		}
	}
	return leaves
}

// text renders a JSON value the way a person would write it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return fmt.Sprintf("%.15g", v)
	default:
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(data)
	}
}
