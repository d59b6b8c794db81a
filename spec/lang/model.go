package lang

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/zclconf/go-cty/cty"
)

// decoded is one instance of a model block, with what is to be checked when all
// models are known.
type decoded struct {
	model *spec.Model
	node  *node
	// fallbacks are the models that its routes name, in the order of the routes.
	fallbacks []fallback
}

// decodeModel makes a model of one instance of its block.
func (e *evaluator) decodeModel(n *node, sc *scope) *decoded {
	s := section{ev: e, n: n, sc: sc}
	m := &spec.Model{
		Address:     spec.Address{Kind: spec.KindModel, Name: n.label, Key: sc.key},
		Pos:         specPos(n.rng),
		Description: s.str("description"),
		Owners:      s.stringList("owners"),
		Version:     s.str("version"),
		Image:       s.image(),
		Protocol:    spec.Protocol(s.keyword("protocol")),
		Port:        s.integer("port"),
		Replicas:    s.integer("replicas"),
		Container:   s.container(),
		Signature:   s.signature(),
		License:     s.license(),
		Card:        s.card(),
	}
	m.Artifact = s.artifact(m.Container.Mounts)
	m.Name = m.Address.ServedName()
	m.Health = s.health(m.Protocol)
	m.Warmup = s.warmup(m.Protocol)
	m.Metrics = s.metrics(m.Port)
	d := &decoded{model: m, node: n}
	m.Routes, d.fallbacks = s.routes()
	if m.Protocol == spec.HTTP && len(m.Routes) == 0 {
		e.warnf(n.rng, n.place, "Model without route", "A model of protocol http is reached by its routes only, and this one has none. Add a route block, or use protocol = open_inference if it speaks that.")
	}
	m.Rollout = s.rollout(m)
	m.Update = s.update()
	return d
}

// imageForm is NAME, NAME:TAG, NAME@sha256:DIGEST or both, where the name may
// start with the host of a registry.
var imageForm = regexp.MustCompile(`^(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*` +
	`(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)

func (s section) image() string {
	image := s.str("image")
	if image == "" {
		if v, ok := s.typed("image"); ok && !v.IsNull() {
			s.errorf(s.at("image"), "Invalid image", "The image is empty. Write NAME:TAG or NAME@sha256:DIGEST.")
		}
		return ""
	}
	if !imageForm.MatchString(image) || len(image) > 512 {
		s.errorf(s.at("image"), "Invalid image", "An image is NAME:TAG or NAME@sha256:DIGEST, where NAME is in lower case and may start with a registry, and the digest has 64 hexadecimal digits.")
	}
	return image
}

func (s section) container() spec.Container {
	c := s.confined()
	c.Command = s.stringList("command")
	c.Env = s.env()
	c.Restart = spec.RestartPolicy(s.keyword("restart"))
	c.HostNetwork = s.keyword("network") == "host"
	s.ofHost("network", c.HostNetwork)
	return c
}

// confined is what the containers of models and of steps have in common.
func (s section) confined() spec.Container {
	c := spec.Container{
		Entrypoint:   s.stringList("entrypoint"),
		SecretFiles:  s.secretFiles(),
		User:         s.str("user"),
		ReadOnlyRoot: s.boolean("read_only"),
		Resources:    s.resources(),
		StopTimeout:  s.duration("stop_timeout"),
		Logs:         s.logs(),
		Mounts:       s.mounts(),
		Devices:      s.stringList("devices"),
		Capabilities: s.capabilities(),
		Privileged:   s.boolean("privileged"),
	}
	s.ofHost("devices", len(c.Devices) > 0)
	s.ofHost("capabilities", len(c.Capabilities) > 0)
	s.ofHost("privileged", c.Privileged)
	for _, device := range c.Devices {
		if !absolutePath(device) {
			s.errorf(s.at("devices"), "Path not absolute", "A device is an absolute path on the host, without . and .. in it, such as \"/dev/fuse\".")
			break
		}
	}
	return c
}

func (s section) capabilities() []string {
	list := s.stringList("capabilities")
	for _, c := range list {
		if c != strings.ToUpper(c) || strings.HasPrefix(c, "CAP_") || c == "" {
			s.errorf(s.at("capabilities"), "Invalid capability", "Capabilities are written in upper case and without the CAP_ prefix, such as \"NET_ADMIN\".")
			break
		}
	}
	return list
}

// elements are the members of a map argument, in order of their keys; nil where
// there is none, or no map.
func (s section) elements(name string) map[string]cty.Value {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return nil
	}
	if t := v.Type(); !t.IsMapType() && !t.IsObjectType() {
		s.errorf(s.at(name), "Wrong type", "%s takes a %s in braces, and this is %s.", name, s.n.schema.Argument(name).Type, kindOf(v))
		return nil
	}
	return v.AsValueMap()
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// env decodes environment variables. No message shows a value: literals here
// are where people put what should have been a secret.
func (s section) env() map[string]spec.EnvValue {
	members := s.elements("env")
	if len(members) == 0 {
		return nil
	}
	env := make(map[string]spec.EnvValue, len(members))
	for _, name := range names(members) {
		v := members[name]
		at := s.memberAt("env", name)
		if !envName.MatchString(name) {
			s.errorf(at, "Invalid name", "The name of an environment variable starts with a letter or _ and holds letters, digits, _, . and -.")
			continue
		}
		secret, isSecret := secretOf(v)
		switch {
		case isSecret:
			env[name] = spec.EnvValue{Secret: secret}
			continue
		case v.IsNull():
			continue // as if it were not written, so that a condition can leave it out
		case v.Type() == cty.Number || v.Type() == cty.Bool:
			if v.Type() == cty.Number && !v.AsBigFloat().IsInt() && s.isLiteral("env", name) {
				s.errorf(at, "Number used as text", "Put the value in quotes, so that it stays as it is written: as a number, 1.10 is the same as 1.1.")
				continue
			}
			v, _ = toType(v, cty.String)
		case v.Type() != cty.String:
			s.errorf(at, "Wrong type", "The value of an environment variable is a string or a secret, and this is %s.", kindOf(v))
			continue
		}
		if strings.ContainsRune(v.AsString(), 0) {
			s.errorf(at, "Invalid value", "The value of an environment variable cannot hold a zero byte.")
			continue
		}
		env[name] = spec.EnvValue{Value: v.AsString()}
	}
	return env
}

var secretFileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$`)

func (s section) secretFiles() map[string]string {
	members := s.elements("secrets")
	if len(members) == 0 {
		return nil
	}
	files := make(map[string]string, len(members))
	for _, name := range names(members) {
		at := s.memberAt("secrets", name)
		if !secretFileName.MatchString(name) {
			s.errorf(at, "Invalid name", "The key is the name of a file below /run/secrets: letters, digits, ., _ and -, and no path.")
			continue
		}
		secret, isSecret := secretOf(members[name])
		if !isSecret {
			s.errorf(at, "Secret expected", "The value names a secret: write secret.NAME, and declare it with a secret block. A value written here would be readable for everybody who can read the repo.")
			continue
		}
		files[name] = secret
	}
	return files
}

func (s section) resources() spec.Resources {
	c, _ := s.child("resources")
	r := spec.Resources{
		CPUs: c.float("cpus"), Memory: c.int64("memory"), Shm: c.int64("shm"), PIDs: c.int64("pids"), GPUs: c.gpus(),
	}
	for _, u := range c.children("ulimit") {
		limit := spec.Ulimit{Soft: u.int64("soft")}
		limit.Hard = limit.Soft
		if u.has("hard") {
			limit.Hard = u.int64("hard")
		}
		if limit.Hard >= 0 && (limit.Soft > limit.Hard || limit.Soft < 0) {
			u.errorf(u.at("hard"), "Contradictory values", "The hard limit must not be below the soft one.")
		}
		if r.Ulimits == nil {
			r.Ulimits = map[string]spec.Ulimit{}
		}
		r.Ulimits[u.n.label] = limit
	}
	return r
}

// gpus is a count, the word all, or a list of ids.
func (s section) gpus() spec.GPUs {
	a := s.n.args.get("gpus")
	if a == nil {
		return spec.GPUs{}
	}
	if len(a.keywords) > 0 {
		return spec.GPUs{Count: -1}
	}
	v, ok := s.typed("gpus")
	if !ok || v.IsNull() {
		return spec.GPUs{}
	}
	def := s.n.schema.Argument("gpus")
	if v.Type() == cty.Number {
		n, _ := v.AsBigFloat().Int64()
		if !v.AsBigFloat().IsInt() || n < 0 || n > 1024 {
			s.errorf(a.rng, "Value out of range", "gpus must be a whole number from 0 to 1024. For all of them write gpus = all.")
			return spec.GPUs{}
		}
		return spec.GPUs{Count: int(n)}
	}
	list, p := convertTo(&schema.Argument{Name: "gpus", Type: schema.StringList}, v)
	if p != nil {
		p = wrongType(def, v, `Write gpus = 1, gpus = all, or gpus = ["0", "1"].`)
		s.errorf(a.rng, p.summary, "%s", p.detail)
		return spec.GPUs{}
	}
	var ids []string
	for it := list.ElementIterator(); it.Next(); {
		_, id := it.Element()
		ids = append(ids, id.AsString())
	}
	return spec.GPUs{IDs: ids}
}

func (s section) logs() spec.Logs {
	c, _ := s.child("logs")
	return spec.Logs{MaxSize: c.int64("max_size"), MaxFiles: c.integer("max_files")}
}

var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

func (s section) mounts() []spec.Mount {
	var mounts []spec.Mount
	for _, c := range s.children("mount") {
		m := spec.Mount{
			Type: spec.MountType(c.keyword("type")), Source: c.str("source"), Target: c.n.label,
			ReadOnly: c.boolean("read_only"), Size: c.int64("size"),
		}
		c.checkMount(m)
		mounts = append(mounts, m)
	}
	return mounts
}

func (s section) checkMount(m spec.Mount) {
	s.ofHost("source", m.Type == spec.MountVolume || m.Type == spec.MountBind)
	switch m.Type {
	case spec.MountTmpfs:
		if m.Source != "" {
			s.errorf(s.at("source"), "Contradictory arguments", "A tmpfs is memory and has no source. Remove the argument.")
		}
	case spec.MountVolume:
		if !volumeName.MatchString(m.Source) {
			s.errorf(s.at("source"), "Invalid source", "The source of a volume is its name: letters, digits, _, . and -.")
		}
	case spec.MountBind:
		if !absolutePath(m.Source) {
			s.errorf(s.at("source"), "Path not absolute", "The source of a bind mount is an absolute path on the host, without . and .. in it.")
		}
	}
	if m.Type != spec.MountTmpfs && m.Type != "" && s.has("size") {
		s.errorf(s.at("size"), "Contradictory arguments", "Only a tmpfs has a size. Remove the argument.")
	}
	if m.Target == "/run/secrets" || strings.HasPrefix(m.Target, "/run/secrets/") {
		s.errorf(s.n.rng, "Reserved path", "Fairlead puts the secrets of the model at /run/secrets. Mount elsewhere.")
	}
}

func (s section) signature() *spec.Signature {
	c, declared := s.child("signature")
	if !declared {
		return nil
	}
	tensors := func(kind string) []spec.Tensor {
		var list []spec.Tensor
		for _, t := range c.children(kind) {
			list = append(list, spec.Tensor{Name: t.n.label, Datatype: t.keyword("datatype"), Shape: t.integerList("shape")})
		}
		return list
	}
	sig := &spec.Signature{Inputs: tensors("input"), Outputs: tensors("output")}
	if len(sig.Inputs) == 0 || len(sig.Outputs) == 0 {
		c.errorf(c.n.rng, "Incomplete signature", "A signature declares at least one input and one output. Add the other, or remove the block.")
	}
	return sig
}

func (s section) health(protocol spec.Protocol) spec.Health {
	c, _ := s.child("health")
	h := spec.Health{
		Path: c.str("path"), Interval: c.duration("interval"), Timeout: c.duration("timeout"),
		MinHealthy: c.duration("min_healthy"), Deadline: c.duration("deadline"),
	}
	switch {
	case c.has("path"):
		c.checkSentPath("path", "The gateway cannot probe this path")
	case protocol == spec.OpenInference:
		h.Path = "/v2/health/ready"
	case protocol == spec.HTTP:
		c.errorf(c.n.rng, "Missing argument", "A model of protocol http needs the path that says that it is ready. For example:\n    health {\n      path = \"/healthz\"\n    }")
	}
	if !c.has("timeout") {
		h.Timeout = min(time.Second, h.Interval)
	}
	if h.Timeout > h.Interval && h.Interval > 0 {
		c.errorf(c.at("timeout"), "Contradictory values", "The timeout of a probe is longer than the interval between two, so probes would pile up. Make it %s or less.", showSeconds(h.Interval.Seconds()))
	}
	if h.Deadline > 0 && h.MinHealthy >= h.Deadline {
		c.errorf(c.at("min_healthy"), "Contradictory values", "min_healthy is not shorter than deadline, so no replica could ever be ready in time.")
	}
	return h
}

// checkSentPath checks a path that is sent to replicas.
func (s section) checkSentPath(name, complaint string) {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return
	}
	if err := spec.CheckProbePath(v.AsString()); err != nil {
		s.errorf(s.at(name), "Invalid path", "%s: %v.", complaint, err)
	}
}

func (s section) warmup(protocol spec.Protocol) *spec.Warmup {
	c, declared := s.child("warmup")
	if !declared {
		return nil
	}
	w := &spec.Warmup{Request: []byte(c.str("request")), Count: c.integer("count")}
	if protocol == spec.OpenInference && len(w.Request) > 0 && !json.Valid(w.Request) {
		c.errorf(c.at("request"), "Invalid JSON", "An inference request of the Open Inference Protocol is JSON, and this text is none. To read it from a file of the repo, write request = file(\"PATH\").")
	}
	return w
}

func (s section) metrics(port int) *spec.Scrape {
	c, declared := s.child("metrics")
	if !declared {
		return nil
	}
	c.checkSentPath("path", "Metrics cannot be read from this path")
	scrape := &spec.Scrape{Path: c.str("path"), Port: port, Interval: c.duration("interval")}
	if c.has("port") {
		scrape.Port = c.integer("port")
	}
	return scrape
}

func hasDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// absolutePath tells whether p is an absolute path in its plainest form.
func absolutePath(p string) bool {
	return len(p) > 1 && p[0] == '/' && !hasDots(p) && !strings.Contains(p, "//") && !strings.ContainsRune(p, 0) && !strings.HasSuffix(p, "/")
}
