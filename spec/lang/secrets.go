package lang

import (
	"fmt"
	"reflect"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
)

// secretName is what `secret.x` stands for in expressions: the name of a secret.
// There is no value of a secret in a load at all.
type secretName struct{ name string }

// secretType is a type of its own, so that HCL refuses a secret wherever text is
// made or expected.
var secretType = cty.Capsule("secret", reflect.TypeFor[secretName]())

// secretOf is the name of the secret that a value stands for.
func secretOf(v cty.Value) (string, bool) {
	if v.IsNull() || v.Type() != secretType {
		return "", false
	}
	s, isSecret := v.EncapsulatedValue().(*secretName)
	if !isSecret {
		return "", false
	}
	return s.name, true
}

// secretValue checks that a secret is declared, and enabled, and names it.
func (e *evaluator) secretValue(r reference, p place) (cty.Value, bool) {
	base := e.symbols.secrets[r.name]
	if base == nil {
		return e.unknown(r, p, "secret", names(e.symbols.secrets), fmt.Sprintf("Declare it:\n    secret %q {\n      file = \"/etc/fairlead/secrets/%s\"\n    }", r.name, r.name))
	}
	n := e.merged(base)
	enabled, ok := e.enabled(n)
	if !ok {
		return cty.NilVal, false
	}
	if !enabled {
		e.errorf(r.rng, p, "Disabled secret", "secret.%s is not enabled in this environment, at %s.", r.name, specPos(n.rng))
		return cty.NilVal, false
	}
	scopes, ok := e.instances(n)
	if !ok {
		return cty.NilVal, false
	}
	all := map[string]cty.Value{}
	for _, sc := range scopes {
		name := spec.Address{Kind: spec.KindSecret, Name: r.name, Key: sc.key}.ServedName()
		v := cty.CapsuleVal(secretType, &secretName{name})
		if sc.key == r.key {
			return v, true
		}
		all[sc.key] = v
	}
	if r.key == "" {
		return cty.ObjectVal(all), true // to be indexed with a key that is computed
	}
	e.errorf(r.rng, p, "Unknown instance", "secret.%s has no instance %q.%s", r.name, r.key, instanceWords(scopes, r.key))
	return cty.NilVal, false
}

// decodeSecrets makes the secrets of a Config.
func (e *evaluator) decodeSecrets() map[string]*spec.Secret {
	all := map[string]*spec.Secret{}
	for _, name := range names(e.symbols.secrets) {
		n := e.merged(e.symbols.secrets[name])
		enabled, ok := e.enabled(n)
		scopes, good := e.instances(n)
		if !ok || !good {
			continue
		}
		for _, sc := range scopes {
			s := e.decodeSecret(n, sc)
			if twin := all[s.Name]; twin != nil {
				e.errorf(n.rng, n.place, "Duplicate name", "This secret and the one at %s are both named %q. Rename one of them.", twin.Pos, s.Name)
			}
			if enabled {
				all[s.Name] = s
			}
		}
	}
	return all
}

func (e *evaluator) decodeSecret(n *node, sc *scope) *spec.Secret {
	s := section{ev: e, n: n, sc: sc}
	secret := &spec.Secret{
		Name: spec.Address{Kind: spec.KindSecret, Name: n.label, Key: sc.key}.ServedName(), Module: e.module.name(),
		File: s.str("file"), Env: s.str("env"), Age: s.str("age"), SOPS: s.sops(), Pos: specPos(n.rng),
	}
	sources := 0
	for _, source := range []string{"file", "env", "age", "sops"} {
		if s.has(source) {
			sources++
		}
	}
	if sources != 1 {
		s.errorf(n.rng, "One source needed", "A secret has exactly one source, and this one has %d. Write one of file, env, age and sops.", sources)
	}
	if secret.File != "" && !absolutePath(secret.File) {
		s.errorf(s.at("file"), "Path not absolute", "The file is on the daemon's host, so its path must be absolute and without . and .. in it. A value that is in the repo must be encrypted: age = file(...), or sops = \"PATH\".")
	}
	return secret
}
