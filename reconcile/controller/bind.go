package controller

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
)

// Binder turns a Config into a Desired: it pins images and resolves secrets.
// Models that did not change keep their *reconcile.Target, so that binding a
// commit costs what the commit changed. Not safe for concurrent use.
type Binder struct {
	Scope   reconcile.Scope
	Runtime reconcile.Runtime
	Secrets reconcile.Secrets
	Store   reconcile.Store
	// Key keys the hashes that stand for secret values in revisions.
	Key []byte
	// GatewayHost and GatewayPort are where the gateway listens on the host.
	GatewayHost string
	GatewayPort int
	GatewayTLS  reconcile.GatewayTLS

	pins    pins
	unsaved bool         // pins are not stored
	pinned  *spec.Config // whose images pins are, where there is no commit
	targets map[string]*bound
	denials gate.Denials
}

// pins are the images of one commit: a tag is resolved once per commit, and the
// digest is what runs, also after a restart of the daemon.
type pins struct {
	Commit string                     `json:"commit"`
	Images map[string]reconcile.Image `json:"images"`
}

const pinsKey = "pins"

// bound is a target, and what it was made from.
type bound struct {
	model  *spec.Model
	image  reconcile.Image
	target *reconcile.Target
	// fixed: a digest names the image and there are no secrets, so as long as
	// the model is the same, so is the target.
	fixed bool
}

// parallelResolves bounds the questions to registries at one time.
const parallelResolves = 8

// Bind makes the desired state of a commit. A model that cannot be bound is no
// error: it is listed as unbound, with the reason.
func (b *Binder) Bind(ctx context.Context, cfg *spec.Config, commit spec.Commit) (*reconcile.Desired, error) {
	d := &reconcile.Desired{
		Scope: b.Scope, Commit: commit, Config: cfg,
		Targets: make(map[string]*reconcile.Target, len(cfg.Models)), Unbound: map[string]error{},
		MovedFrom: map[string]string{}, Forgotten: map[string]bool{}, Secrets: map[string]spec.Sensitive{}, SecretVersions: map[string]string{},
	}
	for _, m := range cfg.Moved {
		d.MovedFrom[m.From.ServedName()] = m.To.ServedName()
	}
	for from, to := range d.MovedFrom { // a moved to b, and b to c: a is c now
		for next, again := d.MovedFrom[to]; again; next, again = d.MovedFrom[to] {
			to = next
		}
		d.MovedFrom[from] = to
	}
	for _, r := range cfg.Removed {
		if !r.Destroy {
			d.Forgotten[r.From.ServedName()] = true
		}
	}
	targets := make(map[string]*bound, len(cfg.Models))
	denied := b.denials.Models(cfg, time.Now())
	var open []*spec.Model
	for _, m := range cfg.Models {
		if err := denied[m.Name]; err != nil {
			d.Unbound[m.Name] = err
			continue
		}
		if old := b.targets[m.Name]; old != nil && old.fixed && old.model == m {
			targets[m.Name], d.Targets[m.Name] = old, old.target
			continue
		}
		open = append(open, m)
	}
	images, failed := b.pin(ctx, cfg, open, commit)
	for _, m := range open {
		t, err := b.bindModel(ctx, d, m, images, failed)
		if err != nil {
			d.Unbound[m.Name] = err
			continue
		}
		targets[m.Name], d.Targets[m.Name] = t, t.target
	}
	b.targets = targets
	b.spareSecrets(ctx, d)
	gateway, err := b.gateway(ctx)
	d.Gateway = gateway
	return d, err
}

func (b *Binder) bindModel(ctx context.Context, d *reconcile.Desired, m *spec.Model, images map[string]reconcile.Image, failed map[string]error) (*bound, error) {
	if err := failed[m.Image]; err != nil {
		return nil, fmt.Errorf("%s: image %s: %w", m.Pos, m.Image, err)
	}
	versions, err := b.secrets(ctx, d, m)
	if err != nil {
		return nil, err
	}
	image := images[m.Image]
	if old := b.targets[m.Name]; old != nil && versions == nil && old.model == m && old.image == image {
		return old, nil
	}
	t := reconcile.NewTarget(m, image, versions)
	if t.KeyHashes, err = keyHashes(m, d.Secrets); err != nil {
		return nil, err
	}
	if err := b.Runtime.Vet(b.Scope.Replica(t, 1, d.Commit.ID, nil)); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Pos, err)
	}
	return &bound{model: m, image: image, target: t, fixed: versions == nil && byDigest(m.Image)}, nil
}

// secrets resolves what a model uses and returns the versions: keyed hashes,
// because a plain hash of a weak secret could be guessed from a label.
func (b *Binder) secrets(ctx context.Context, d *reconcile.Desired, m *spec.Model) (map[string]string, error) {
	used := reconcile.UsedSecrets(m)
	if len(used) == 0 {
		return nil, nil
	}
	var declared []*spec.Secret
	for _, name := range slices.Sorted(maps.Keys(used)) {
		s := d.Config.Secrets[name]
		if s == nil {
			return nil, fmt.Errorf("%s: %s uses secret.%s, which is not declared", m.Pos, m.Address, name)
		}
		declared = append(declared, s)
	}
	values, err := b.Secrets.Resolve(ctx, declared)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", m.Pos, m.Address, err)
	}
	if err := checkEnv(m, values); err != nil {
		return nil, err
	}
	versions := make(map[string]string, len(values))
	for name, value := range values {
		d.Secrets[name] = value
		versions[name] = b.version("secret "+name, value.Reveal())
		d.SecretVersions[name] = versions[name]
	}
	return versions, nil
}

// spareSecrets resolves those that no model uses now: a release that was there
// before may need them again. One that cannot be had is missed by nobody yet.
func (b *Binder) spareSecrets(ctx context.Context, d *reconcile.Desired) {
	for name, s := range d.Config.Secrets {
		if _, used := d.Secrets[name]; used {
			continue
		}
		values, err := b.Secrets.Resolve(ctx, []*spec.Secret{s})
		if err != nil {
			continue
		}
		d.Secrets[name], d.SecretVersions[name] = values[name], b.version("secret "+name, values[name].Reveal())
	}
}

// keyHashes are those of the API keys of a model's routes. The gateway gets these
// and never a key: whoever reads its table can open nothing with it.
func keyHashes(m *spec.Model, values map[string]spec.Sensitive) (map[string]string, error) {
	var hashes map[string]string
	for _, route := range m.Routes {
		if route.Auth == nil {
			continue
		}
		for _, name := range route.Auth.APIKeys {
			key := values[name]
			if key.IsZero() {
				return nil, fmt.Errorf("%s: %s: secret.%s is empty, and whoever shows no key at all would have it; give it a value", route.Pos, m.Address, name)
			}
			if hashes == nil {
				hashes = map[string]string{}
			}
			sum := sha256.Sum256([]byte(key.Reveal()))
			hashes[name] = hex.EncodeToString(sum[:])
		}
	}
	return hashes, nil
}

// checkEnv refuses what no engine takes as an environment variable. It is found
// here, because an engine finds it late, and then keeps the value in the error
// that it stores with the container.
func checkEnv(m *spec.Model, values map[string]spec.Sensitive) error {
	for _, name := range slices.Sorted(maps.Keys(m.Container.Env)) {
		secret := m.Container.Env[name].Secret
		if strings.Contains(values[secret].Reveal(), "\x00") {
			return fmt.Errorf("%s: %s: env.%s cannot hold the value of secret.%s, which has a zero byte in it; deliver it as a file: secrets = { %s = secret.%s }",
				m.Pos, m.Address, name, secret, secret, secret)
		}
	}
	return nil
}

// SecretVersion is a keyed hash of a secret's value: it changes when the value does,
// and tells nothing else.
func (b *Binder) SecretVersion(purpose string, value spec.Sensitive) string {
	return b.version(purpose, value.Reveal())
}

func (b *Binder) version(purpose, value string) string {
	mac := hmac.New(sha256.New, b.Key)
	mac.Write([]byte(purpose + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// gateway binds the gateway. Its token follows from the key, so that a daemon
// that lost everything but the key can still talk to it.
func (b *Binder) gateway(ctx context.Context) (*reconcile.GatewayTarget, error) {
	image, err := b.Runtime.SelfImage(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the gateway's image: %w", err)
	}
	token := GatewayToken(b.Key)
	return reconcile.NewGatewayTarget(image, b.GatewayHost, b.GatewayPort, token, b.version("gateway token", token.Reveal()), b.GatewayTLS), nil
}

// GatewayToken is the bearer token of the gateway's admin listener.
func GatewayToken(key []byte) spec.Sensitive {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fairlead gateway admin token"))
	return spec.NewSensitive(hex.EncodeToString(mac.Sum(nil)))
}

// byDigest: the reference names content, so what it means cannot change.
func byDigest(ref string) bool { return strings.Contains(ref, "@") }

// pin resolves the images of the models. References with a digest cost nothing;
// tags are asked for once per commit.
func (b *Binder) pin(ctx context.Context, cfg *spec.Config, models []*spec.Model, commit spec.Commit) (map[string]reconcile.Image, map[string]error) {
	known := b.knownPins(ctx, cfg, commit)
	images, failed := map[string]reconcile.Image{}, map[string]error{}
	var ask []string
	for _, m := range models {
		if _, done := images[m.Image]; done {
			continue
		}
		image, pinned := known[m.Image]
		images[m.Image] = image
		switch {
		case pinned:
		case byDigest(m.Image):
			images[m.Image], failed[m.Image] = b.Runtime.Resolve(ctx, m.Image)
		default:
			ask = append(ask, m.Image)
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelResolves)
	for _, ref := range ask {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			image, err := b.Runtime.Resolve(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			images[ref], failed[ref] = b.settle(ref, image, err)
		})
	}
	wg.Wait()
	b.takePins(commit, images, failed)
	return images, failed
}

// settle decides what a tag means where the registry could not be asked: what it
// meant at the commit before, if that is known. The engine's own copy of the tag,
// which is what Resolve falls back on, may be far older.
func (b *Binder) settle(ref string, image reconcile.Image, err error) (reconcile.Image, error) {
	before, known := b.pins.Images[ref]
	if !known || err == nil && image.Note == "" {
		return image, err
	}
	if errors.Is(err, reconcile.ErrImageNotFound) {
		return image, err // the registry did answer
	}
	before.Note = "the registry could not be asked what the tag means now; what it meant at the commit before stays"
	return before, nil
}

// knownPins are those of this commit. A plain directory has no commit: what its
// tags mean is asked for at each load.
func (b *Binder) knownPins(ctx context.Context, cfg *spec.Config, commit spec.Commit) map[string]reconcile.Image {
	if commit.ID == "" {
		if b.pinned == cfg {
			return b.pins.Images
		}
		b.pinned = cfg
		return nil
	}
	if b.pins.Commit == "" {
		if data, err := b.Store.Load(ctx, pinsKey); err == nil {
			var stored pins
			if json.Unmarshal(data, &stored) == nil {
				b.pins = stored
			}
		}
	}
	if b.pins.Commit != commit.ID {
		return nil
	}
	return b.pins.Images
}

// takePins makes the images of a commit the ones that its tags mean.
func (b *Binder) takePins(commit spec.Commit, images map[string]reconcile.Image, failed map[string]error) {
	next := pins{Commit: commit.ID, Images: map[string]reconcile.Image{}}
	for ref, image := range images {
		if failed[ref] == nil && !byDigest(ref) {
			next.Images[ref] = image
		}
	}
	if b.pins.Commit != next.Commit || !maps.Equal(b.pins.Images, next.Images) {
		b.pins, b.unsaved = next, true
	}
}

// Accept stores what the tags of the commit that was bound last mean: it is the
// one that is followed now. That it could not be stored matters only if the
// daemon restarts before the next commit and a tag moves between.
func (b *Binder) Accept(ctx context.Context) {
	if !b.unsaved || b.pins.Commit == "" {
		return
	}
	b.unsaved = false
	if data, err := json.Marshal(b.pins); err == nil {
		_ = b.Store.Save(ctx, pinsKey, data)
	}
}

func (b *Binder) listens() string {
	return net.JoinHostPort(b.GatewayHost, strconv.Itoa(b.GatewayPort))
}
