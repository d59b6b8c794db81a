package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// keyFormat is part of every key: another form of what steps are given is another
// key.
const keyFormat = 1

// keyParts are what the result of a node follows from. Equal parts give equal
// outputs, as far as the step itself is repeatable: so neither resources, retries
// and time-outs nor names, order and positions of blocks are among them, and of
// secrets only a keyed hash. facts are those of the node.
func (r *Run) keyParts(n *Node, facts expr.Facts) (KeyParts, error) {
	s := r.Step(n)
	parts := KeyParts{
		Format: keyFormat, Image: r.Images[s.Image].Pin, Entrypoint: s.Container.Entrypoint, User: s.Container.User, Network: s.Network,
		Outputs: slices.Sorted(slices.Values(s.Outputs)), Metrics: s.Metrics,
	}
	var err error
	if parts.Command, err = command(s, facts); err != nil {
		return KeyParts{}, err
	}
	if parts.Env, err = environment(s, facts); err != nil {
		return KeyParts{}, err
	}
	for name, v := range s.Env {
		if v.Secret != "" {
			put(&parts.Secrets, "env "+name, v.Secret+" "+r.Secrets[v.Secret])
		}
	}
	for file, secret := range s.Container.SecretFiles {
		put(&parts.Secrets, "file "+file, secret+" "+r.Secrets[secret])
	}
	for name, in := range s.Inputs {
		digests := r.Digests(in)
		if digests == nil {
			return KeyParts{}, fmt.Errorf("input %s is not there: %s", name, describeInput(in))
		}
		put(&parts.Inputs, name, digests)
	}
	parts.Mounts = machineParts(s.Container)
	return parts, nil
}

// machineParts are what a step is given of the host. What is in a volume or a directory
// of the host is not known: a step that reads such has cache = false, or a dataset.
func machineParts(c spec.Container) []string {
	var parts []string
	for _, m := range c.Mounts {
		parts = append(parts, strings.Join([]string{string(m.Type), m.Source, m.Target, strconv.FormatBool(m.ReadOnly)}, " "))
	}
	for _, device := range c.Devices {
		parts = append(parts, "device "+device)
	}
	if gpus := c.Resources.GPUs; gpus.Count != 0 || len(gpus.IDs) > 0 {
		parts = append(parts, "gpus") // another sum on another processor, however many there are
	}
	slices.Sort(parts)
	return parts
}

func describeInput(in spec.Input) string {
	text := string(in.Kind) + "." + in.Name
	if in.Output != "" {
		text += "." + in.Output
	}
	return text
}

func command(s *spec.Step, facts expr.Facts) ([]string, error) {
	var words []string
	for _, e := range s.Command {
		word, err := e.Text(facts)
		if err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		words = append(words, word)
	}
	return words, nil
}

// environment is that of a step without its secrets.
func environment(s *spec.Step, facts expr.Facts) (map[string]string, error) {
	var env map[string]string
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		v := s.Env[name]
		if v.Secret != "" {
			continue
		}
		text, err := v.Expr.Text(facts)
		if err != nil {
			return nil, fmt.Errorf("env.%s: %w", name, err)
		}
		put(&env, name, text)
	}
	return env, nil
}

// put sets a key of a map that may still be nil: an empty map would be another
// JSON document than none.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// Key is the SHA-256 of the parts, in hexadecimal.
func (p KeyParts) Key() string { return hash(p) }

func hash(v any) string {
	data, err := json.Marshal(v)
	if err != nil { // nothing that is hashed holds a NaN, a channel or a function
		panic(fmt.Sprintf("run: encode %T: %v", v, err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Difference names the parts of the key that differ from before, for people: why a
// step runs again.
func (p KeyParts) Difference(before KeyParts) string {
	var parts []string
	say := func(differs bool, format string, args ...any) {
		if differs {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	say(p.Format != before.Format, "the form of the cache")
	say(p.Image != before.Image, "image %s, was %s", short(p.Image), short(before.Image))
	say(!slices.Equal(p.Entrypoint, before.Entrypoint), "entrypoint")
	say(!slices.Equal(p.Command, before.Command), "command %q, was %q", strings.Join(p.Command, " "), strings.Join(before.Command, " "))
	for _, name := range keysOf(p.Env, before.Env) {
		now, set := p.Env[name]
		then, was := before.Env[name]
		switch {
		case !was:
			say(true, "env.%s is new", name)
		case !set:
			say(true, "env.%s is gone", name)
		default:
			say(now != then, "env.%s = %q, was %q", name, now, then)
		}
	}
	for _, use := range keysOf(p.Secrets, before.Secrets) {
		say(p.Secrets[use] != before.Secrets[use], "the secret of %s", use)
	}
	for _, name := range keysOf(p.Inputs, before.Inputs) {
		say(!maps.Equal(p.Inputs[name], before.Inputs[name]), "input %s", name)
	}
	say(p.User != before.User, "user")
	say(p.Network != before.Network, "network")
	say(!slices.Equal(p.Outputs, before.Outputs), "the names of the outputs")
	say(p.Metrics != before.Metrics, "the file of the metrics")
	say(!slices.Equal(p.Mounts, before.Mounts), "mounts")
	return strings.Join(parts, "; ")
}

func keysOf[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for name := range a {
		all[name] = true
	}
	for name := range b {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// short is a digest as people compare it.
func short(pin string) string {
	if i := strings.Index(pin, "sha256:"); i >= 0 && len(pin) >= i+7+12 {
		return pin[:i+7+12]
	}
	return pin
}
