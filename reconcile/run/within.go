package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Within checks that a pipeline which was read from an entry of the registry keeps to
// what an included repo may declare: names of its own, and of the host what it was
// granted. The entry is text of that repo, and might say anything. Of the root, i is nil.
func Within(p *spec.Pipeline, i *spec.Include) error {
	if i == nil {
		return nil
	}
	own := func(kind, name string) error {
		if strings.HasPrefix(name, i.Prefix) {
			return nil
		}
		return fmt.Errorf("it uses %s.%s, which include %s does not declare", kind, name, i.Name)
	}
	if err := own("pipeline", p.Name); err != nil {
		return err
	}
	for _, name := range UsedSecrets(p) {
		if err := own("secret", name); err != nil {
			return err
		}
	}
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			if in.Kind != spec.InputDataset {
				continue
			}
			if err := own("dataset", in.Name); err != nil {
				return err
			}
		}
		if !slices.Contains(i.Allow, spec.GrantHost) && ofHost(&s.Container) {
			return fmt.Errorf("step %s asks for volumes, directories, devices or privileges of the daemon's host, and include %s has not allow = [host]", s.Name, i.Name)
		}
	}
	if p.Publish != nil {
		return own("model", p.Publish.Model.ServedName())
	}
	return nil
}

func ofHost(c *spec.Container) bool {
	return c.Privileged || c.HostNetwork || len(c.Devices)+len(c.Capabilities) > 0 ||
		slices.ContainsFunc(c.Mounts, func(m spec.Mount) bool { return m.Type != spec.MountTmpfs })
}
