package trust_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// signers are people, a forge, a bot, and those whose time is over or not come.
func signers() []spec.Signer {
	with := func(name string, change func(*spec.Signer)) spec.Signer {
		s := person(name)
		change(&s)
		return s
	}
	return []spec.Signer{
		person("ann"), person("bob"),
		with("bot", func(s *spec.Signer) { s.Role = spec.SignerBot }),
		with("forge", func(s *spec.Signer) { s.Role = spec.SignerForge }),
		with("future", func(s *spec.Signer) { s.ValidFrom = noon.Add(time.Hour) }),
		with("gone", func(s *spec.Signer) { s.Revoked = noon.Add(-time.Hour) }),
		with("leaving", func(s *spec.Signer) { s.Revoked = noon.Add(time.Hour) }),
		with("new", func(s *spec.Signer) { s.ValidFrom = noon.Add(-time.Hour) }),
		with("odd", func(s *spec.Signer) { s.Role = "robot" }),
		with("past", func(s *spec.Signer) { s.ValidUntil = noon.Add(-time.Hour) }),
	}
}

// latest is what the gate says of the head: "" for accepted, else the rules that it
// breaks, the word "waiting" with them where that is all.
func latest(t testing.TB, g *trust.Gate) string {
	t.Helper()
	_, err := g.Latest(t.Context())
	if err == nil {
		if all := g.Refusals(); len(all) > 0 {
			t.Errorf("accepted, with refusals: %v", all)
		}
		return ""
	}
	var refusal *reconcile.Refusal
	if !errors.As(err, &refusal) || !errors.Is(err, reconcile.ErrRefused) {
		t.Fatalf("no refusal: %v", err)
	}
	var rules []string
	for _, r := range g.Refusals() {
		if r.Reason == "" || r.Remedy == "" || r.Repo == "" || r.Commit == "" {
			t.Errorf("the refusal does not tell enough: %+v", r)
		}
		if !slices.Contains(rules, r.Rule) {
			rules = append(rules, r.Rule)
		}
	}
	text := strings.Join(rules, ", ")
	if refusal.Waiting {
		text += " waiting"
	}
	t.Log(err)
	return text
}

// follow accepts the head.
func follow(t testing.TB, w *world, g *trust.Gate) {
	t.Helper()
	if got := latest(t, g); got != "" {
		t.Fatalf("%s refuses the head", got)
	}
	if err := g.Followed(t.Context(), w.head); err != nil {
		t.Fatal(err)
	}
}

// begin is a world in which a first commit is accepted that holds the rules.
func begin(t testing.TB, rules *spec.Trust, files map[string]string) *world {
	t.Helper()
	w := newWorld()
	all := map[string]string{"models/a.hcl": "- 1"}
	if rules != nil {
		all["trust.hcl"] = encoded(t, rules)
	}
	for path, text := range files {
		all[path] = text
	}
	w.commit(draft{key: "ann", files: all})
	w.record = &journal.RepoRecord{Accepted: w.head, Mode: string(spec.TrustEvery)}
	return w
}

func rawTag(key, on string) reconcile.RawTag {
	return reconcile.RawTag{Name: "v1", ID: "tag", Raw: fmt.Appendf(nil,
		"object %s\ntype commit\ntag v1\ntagger A B <a@b> %d +0000\n\nmessage\nsigned by %s", on, noon.Unix(), key)}
}

func TestSignatures(t *testing.T) {
	edit := map[string]string{"models/a.hcl": "- 2"}
	one := func(key string, at time.Duration) func(*world) {
		return func(w *world) { w.commit(draft{key: key, at: noon.Add(at), files: edit}) }
	}
	merge := func(key string, side draft, change func(*draft)) func(*world) {
		return func(w *world) {
			base := w.head
			side.parents, side.beside, side.files = []string{base}, true, edit
			d := draft{key: key, parents: []string{base, w.commit(side)}}
			if change != nil {
				change(&d)
			}
			w.commit(d)
		}
	}
	unclean := func(d *draft) { d.unclean, d.files = true, map[string]string{"models/a.hcl": "- evil"} }
	tag := func(key, on string) func(*world) {
		return func(w *world) {
			id := w.commit(draft{files: edit})
			if on == "" {
				on = id
			}
			w.tags = []reconcile.RawTag{rawTag(key, on)}
		}
	}
	tests := []struct {
		name        string
		do          func(*world)
		every, head string
	}{
		{"good", one("ann", 0), "", ""},
		{"unsigned", one("", 0), "trust.signed", "trust.signed"},
		{"bad", one("ann badly", 0), "trust.signed", "trust.signed"},
		{"unknown key", one("mallory", 0), "trust.signed", "trust.signed"},
		{"expired key", one("ann expired", 0), "trust.valid", "trust.valid"},
		{"before the key expired", one("ann expired", -2*time.Hour), "", ""},
		{"key that is revoked by itself", one("ann revoked", 0), "trust.revoked", "trust.revoked"},
		{"revoked", one("gone", 0), "trust.revoked", "trust.revoked"},
		{"revoked, with a forged time", one("gone", -2*time.Hour), "trust.revoked", "trust.revoked"},
		{"soon to be revoked, with a forged time", one("leaving", 2*time.Hour), "trust.revoked", "trust.revoked"},
		{"soon to be revoked", one("leaving", 0), "", ""},
		{"in the time of one who is new", one("new", 0), "", ""},
		{"before the time of one who is new", one("new", -2*time.Hour), "trust.valid", "trust.valid"},
		{"after its time", one("past", 0), "trust.valid", "trust.valid"},
		{"in its time", one("past", -2*time.Hour), "", ""},
		{"before its time", one("future", 0), "trust.valid", "trust.valid"},
		{"before its time, with a forged time", one("future", 2*time.Hour), "trust.valid", "trust.valid"},
		{"role that nobody knows", one("odd", 0), "trust.role", "trust.role"},
		{"unsigned below a good one", func(w *world) { one("", 0)(w); w.commit(draft{key: "ann"}) }, "trust.signed", ""},
		{"bot on the branch", one("bot", 0), "trust.role", "trust.role"},
		{"bot on the branch, below a good one", func(w *world) { one("bot", 0)(w); w.commit(draft{key: "ann"}) }, "trust.role", ""},
		{"bot merged by a person", merge("bob", draft{key: "bot"}, nil), "", ""},
		{"bot merged by the forge", merge("forge", draft{key: "bot"}, nil), "", ""},
		{"bot merged by itself", merge("bot", draft{key: "bot"}, nil), "trust.role", "trust.role"},
		{"forge, no merge", one("forge", 0), "trust.role", "trust.role"},
		{"forge merges what is good", merge("forge", draft{key: "ann"}, nil), "", ""},
		{"forge merges what is unsigned", merge("forge", draft{}, nil), "trust.signed, trust.role", "trust.role"},
		{"forge merges with changes", merge("forge", draft{key: "ann"}, unclean), "trust.role", "trust.role"},
		{"forge merges what is unsigned below", func(w *world) { one("", 0)(w); merge("forge", draft{key: "ann"}, nil)(w) }, "trust.signed, trust.role", "trust.role"},
		{"octopus of the forge, unclean", merge("forge", draft{key: "ann"}, func(d *draft) {
			d.parents, d.unclean = append(d.parents, d.parents[0]), true
		}), "trust.role", "trust.role"},
		{"octopus of a person", merge("ann", draft{key: "ann"}, func(d *draft) { d.parents = append(d.parents, d.parents[0]) }), "", ""},
		{"evil merge of a person is a word of theirs", merge("ann", draft{key: "bob"}, unclean), "", ""},
		{"person merges what is unsigned", merge("ann", draft{}, nil), "trust.signed", ""},
		{"signed tag", tag("ann", ""), "trust.signed", ""},
		{"unsigned tag", tag("", ""), "trust.signed", "trust.signed"},
		{"tag of a bot", tag("bot", ""), "trust.signed", "trust.signed"},
		{"tag of the forge", tag("forge", ""), "trust.signed", "trust.signed"},
		{"tag of one who is revoked", tag("gone", ""), "trust.signed", "trust.signed"},
		{"tag on another commit", tag("ann", strings.Repeat("0", 39)+"1"), "trust.signed", "trust.signed"},
		{"tag on no commit", func(w *world) {
			tag("ann", "")(w)
			w.tags[0].Raw = []byte(strings.Replace(string(w.tags[0].Raw), "type commit", "type tree", 1))
		}, "trust.signed", "trust.signed"},
		{"damaged tag", func(w *world) { tag("ann", "")(w); w.tags[0].Raw = []byte("signed by ann") }, "trust.signed", "trust.signed"},
	}
	for _, mode := range []spec.TrustMode{spec.TrustEvery, spec.TrustHead} {
		for _, test := range tests {
			t.Run(string(mode)+"/"+test.name, func(t *testing.T) {
				w := begin(t, &spec.Trust{Mode: mode, Signers: signers()}, nil)
				test.do(w)
				want := test.every
				if mode == spec.TrustHead {
					want = test.head
				}
				g := w.gate(nil)
				if got := latest(t, g); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				if want != "" && slices.Contains(w.parsed, w.head) {
					t.Error("the refused commit was parsed")
				}
			})
		}
	}
}

func TestHistory(t *testing.T) {
	rules := &spec.Trust{Mode: spec.TrustEvery, Signers: signers()}
	tests := []struct {
		name string
		do   func(w *world) (root *spec.Trust)
		want string
	}{
		{"rewound to an older commit", func(w *world) *spec.Trust {
			first := w.head
			w.record.Accepted = w.commit(draft{key: "ann"})
			w.head = first
			return nil
		}, "trust.rewind"},
		{"rewritten", func(w *world) *spec.Trust {
			first := w.head
			w.record.Accepted = w.commit(draft{key: "ann"})
			w.commit(draft{key: "ann", parents: []string{first}})
			return nil
		}, "trust.rewind"},
		{"another history", func(w *world) *spec.Trust {
			w.commit(draft{key: "ann", parents: []string{}})
			return nil
		}, "trust.rewind"},
		{"shallow", func(w *world) *spec.Trust {
			w.commit(draft{key: "ann"})
			w.shallow = true
			return nil
		}, "trust.history"},
		{"the accepted commit is gone", func(w *world) *spec.Trust {
			w.record.Rules = &journal.AcceptedRules{Trust: rules}
			w.record.Accepted = strings.Repeat("e", 40)
			return nil
		}, "trust.rewind"},
		{"the accepted commit is gone, and its rules", func(w *world) *spec.Trust {
			w.record.Accepted = strings.Repeat("e", 40)
			return nil
		}, "trust.rules"},
		{"the accepted commit is gone, which had no rules", func(w *world) *spec.Trust {
			w.record.Rules = &journal.AcceptedRules{}
			w.record.Accepted = strings.Repeat("e", 40)
			return nil
		}, ""},
		{"the accepted commit is gone, and the operator says nothing new", func(w *world) *spec.Trust {
			seal := w.head
			w.commit(draft{key: "ann"})
			w.record.Rules = &journal.AcceptedRules{Trust: rules, Since: seal}
			w.record.Accepted = strings.Repeat("e", 40)
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, "trust.rewind"},
		{"the accepted commit is gone, and nobody knows what the operator said", func(w *world) *spec.Trust {
			seal := w.head
			w.commit(draft{key: "ann"})
			w.record.Accepted = strings.Repeat("e", 40)
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, "trust.rules"},
		{"the accepted commit is gone, and the operator seals anew", func(w *world) *spec.Trust {
			w.record.Rules = &journal.AcceptedRules{Trust: rules}
			w.record.Accepted = strings.Repeat("e", 40)
			return &spec.Trust{Mode: spec.TrustEvery, Since: w.commit(draft{}), Signers: signers()}
		}, ""},
		{"rewritten, sealed by the operator", func(w *world) *spec.Trust {
			w.record.Accepted = w.commit(draft{key: "ann"})
			seal := w.commit(draft{parents: []string{}, files: map[string]string{"trust.hcl": encoded(t, rules)}})
			w.commit(draft{key: "ann"})
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, ""},
		{"an old seal does not allow a rewind", func(w *world) *spec.Trust {
			seal := w.head
			w.record.Accepted = w.commit(draft{key: "ann"})
			w.commit(draft{key: "ann", parents: []string{seal}})
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, "trust.rewind"},
		{"the seal is somewhere else", func(w *world) *spec.Trust {
			seal := w.commit(draft{key: "ann", beside: true})
			w.commit(draft{key: "ann"})
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, "trust.since"},
		{"the seal does not exist", func(w *world) *spec.Trust {
			return &spec.Trust{Mode: spec.TrustEvery, Since: "nonsense", Signers: signers()}
		}, ""}, // the head is accepted already
		{"the seal does not exist, of a new commit", func(w *world) *spec.Trust {
			w.commit(draft{key: "ann"})
			return &spec.Trust{Mode: spec.TrustEvery, Since: "nonsense", Signers: signers()}
		}, "trust.since"},
		{"a bad commit that the operator seals", func(w *world) *spec.Trust {
			seal := w.commit(draft{})
			w.commit(draft{key: "ann"})
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, ""},
		{"a bad commit after what the operator seals", func(w *world) *spec.Trust {
			seal := w.commit(draft{})
			w.commit(draft{})
			w.commit(draft{key: "ann"})
			return &spec.Trust{Mode: spec.TrustEvery, Since: seal, Signers: signers()}
		}, "trust.signed"},
		{"nothing accepted yet, all is judged", func(w *world) *spec.Trust {
			w.commit(draft{})
			w.commit(draft{key: "ann"})
			w.record = nil
			return rules
		}, "trust.signed"},
		{"nothing accepted yet, all is good", func(w *world) *spec.Trust {
			w.commit(draft{key: "bob"})
			w.record = nil
			return rules
		}, ""},
		{"nothing accepted yet, no operator", func(w *world) *spec.Trust {
			w.commit(draft{})
			w.record = nil
			return nil
		}, ""},
		{"side history that the repo's own rules seal", func(w *world) *spec.Trust {
			old := w.commit(draft{parents: []string{}, beside: true})
			sealed := *rules
			sealed.Since = old
			before := w.commit(draft{key: "ann", files: map[string]string{"trust.hcl": encoded(t, &sealed)}})
			w.commit(draft{key: "ann", parents: []string{before, old}})
			return nil
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, rules, nil)
			if got := latest(t, w.gate(test.do(w))); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The parent's rules judge a commit, and nothing in it does.
func TestNothingAuthorisesItself(t *testing.T) {
	with := func(names ...string) map[string]string {
		rules := &spec.Trust{Mode: spec.TrustEvery}
		for _, name := range names {
			rules.Signers = append(rules.Signers, person(name))
		}
		return map[string]string{"trust.hcl": encoded(t, rules)}
	}
	off := map[string]string{"trust.hcl": encoded(t, &spec.Trust{Mode: spec.TrustOff})}
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"a new signer signs the commit that names them", func(w *world) { w.commit(draft{key: "eve", files: with("ann", "eve")}) }, "trust.signed"},
		{"a new signer signs what comes after it", func(w *world) {
			w.commit(draft{key: "ann", files: with("ann", "eve")})
			w.commit(draft{key: "eve"})
		}, ""},
		{"an unsigned commit turns the rules off", func(w *world) { w.commit(draft{files: off}) }, "trust.signed"},
		{"a signed commit turns the rules off", func(w *world) {
			w.commit(draft{key: "ann", files: off})
			w.commit(draft{})
		}, ""},
		{"the block is taken away without a signature", func(w *world) { w.commit(draft{files: map[string]string{"trust.hcl": ""}}) }, "trust.signed"},
		{"one who was taken out signs", func(w *world) {
			w.commit(draft{key: "ann", files: with("bob")})
			w.commit(draft{key: "ann"})
		}, "trust.signed"},
		{"a new signer of a commit that does not load", func(w *world) {
			files := with("ann", "eve")
			files["models/a.hcl"] = "broken"
			w.commit(draft{key: "ann", files: files})
			w.commit(draft{key: "eve", files: map[string]string{"models/a.hcl": "- 1"}})
		}, "trust.signed"},
		{"a new signer, after a merge that has the accepted commit beside it", func(w *world) {
			old := w.head
			w.record.Accepted = w.commit(draft{key: "ann", files: map[string]string{"y": "1"}})
			side := w.commit(draft{key: "ann", parents: []string{old}, files: map[string]string{"x": "1"}})
			w.commit(draft{key: "ann", parents: []string{side, w.record.Accepted}})
			w.commit(draft{key: "ann", files: with("ann", "eve")})
			w.commit(draft{key: "eve"})
		}, ""},
		{"older rules come back beside the accepted commit", func(w *world) {
			old := w.head // it still names ann
			w.record.Accepted = w.commit(draft{key: "ann", files: with("bob")})
			side := w.commit(draft{key: "bob", parents: []string{old}, files: map[string]string{"x": "1"}})
			w.commit(draft{key: "ann", parents: []string{side, w.record.Accepted}})
		}, "trust.signed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, &spec.Trust{Mode: spec.TrustEvery, Signers: []spec.Signer{person("ann")}}, nil)
			test.do(w)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The operator's file holds beside the rules of the repo.
func TestTheOperatorIsAFloor(t *testing.T) {
	revoked, bot := person("ann"), person("ann")
	revoked.Revoked, bot.Role = noon.Add(-time.Hour), spec.SignerBot
	tests := []struct {
		name string
		repo *spec.Trust
		root *spec.Trust
		key  string
		want string
	}{
		{"the operator is stricter", &spec.Trust{Mode: spec.TrustOff}, &spec.Trust{Mode: spec.TrustHead}, "", "trust.signed"},
		{"the repo is stricter", &spec.Trust{Mode: spec.TrustEvery}, &spec.Trust{Mode: spec.TrustOff}, "", "trust.signed"},
		{"the operator's signers, where the repo has no block", nil, &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, "ann", ""},
		{"the repo's signers, where it has a block", &spec.Trust{Mode: spec.TrustHead, Signers: []spec.Signer{person("eve")}}, &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, "ann", "trust.signed"},
		{"the operator revoked a key", &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, &spec.Trust{Mode: spec.TrustOff, Signers: []spec.Signer{revoked}}, "ann", "trust.revoked"},
		{"the operator calls a key a bot", &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, &spec.Trust{Mode: spec.TrustOff, Signers: []spec.Signer{bot}}, "ann", "trust.role"},
		{"the operator calls the key of a tag a bot", &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, &spec.Trust{Mode: spec.TrustOff, Signers: []spec.Signer{bot}}, "tag by ann", "trust.signed"},
		{"a mode that nobody knows", &spec.Trust{Mode: "often", Signers: signers()}, nil, "ann", "trust.mode"},
		{"two signers of one name", &spec.Trust{Mode: spec.TrustHead, Signers: append(signers(), person("ann"))}, nil, "ann", "trust.signed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, test.repo, nil)
			tagger, tagged := strings.CutPrefix(test.key, "tag by ")
			if tagged {
				test.key = ""
			}
			if id := w.commit(draft{key: test.key}); tagged {
				w.tags = []reconcile.RawTag{rawTag(tagger, id)}
			}
			if got := latest(t, w.gate(test.root)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A commit that was seen before its signer was revoked, and says so truly, stands.
func TestFirstSightCounts(t *testing.T) {
	rules := func(revoked time.Time) *spec.Trust {
		s := person("ann")
		s.Revoked = revoked
		return &spec.Trust{Mode: spec.TrustHead, Signers: []spec.Signer{s}, Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}
	}
	w := begin(t, rules(noon.Add(time.Hour)), nil)
	n, _ := w.pull("ann", "ann", map[string]string{"models/a.hcl": "- 2"})
	g := w.gate(nil)
	if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	w.pass(2 * time.Hour)
	w.pulls[n].reviews = []reconcile.Review{{By: "bob", State: reconcile.ReviewApproved, Official: true, Commit: w.pulls[n].pull.HeadSHA}}
	if got := latest(t, w.gate(nil)); got != "trust.revoked" {
		t.Errorf("a gate that sees it now says %q", got)
	}
	if got := latest(t, g); got != "" {
		t.Errorf("the gate that saw it before says %q", got)
	}
}
