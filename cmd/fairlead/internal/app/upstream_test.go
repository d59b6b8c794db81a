package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/spec"
)

const stagedImage = "registry:5000/digits@sha256:" + "22222222222222222222222222222222" + "22222222222222222222222222222222"

// promotions is what prod takes from staging.
const promotions = `
model "digits" {
  version = "1.0.0"
  image   = "registry:5000/digits@sha256:1111111111111111111111111111111111111111111111111111111111111111"
}

environment "staging" {
  model "digits" {
    version = "1.1.0"
    image   = "` + stagedImage + `"
  }
}

environment "prod" {}

promote "prod" {
  from  = environment.staging
  after = "24h"
}
`

// staged is a config repo, and who keeps the journal of its staging.
type staged struct {
	*configRepo
	t *testing.T
}

// journal writes to staging's journal as a daemon, or anybody else, does. A key of nil
// signs nothing.
func (s staged) journal(key *signature.Signer) *git.Journal {
	s.t.Helper()
	by := git.Author{}
	if key != nil {
		by.Signer = key
	}
	j, err := git.NewJournal(git.JournalOptions{Dir: filepath.Join(s.t.TempDir(), "journal"), URL: s.dir, Branch: journal.Branch("staging"), Author: by})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(j.Close)
	if _, err := j.Open(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return j
}

// decide writes that an image of digits has been stable for two days.
func (s staged) decide(j *git.Journal, image string) {
	s.t.Helper()
	at := time.Now().Add(-48 * time.Hour)
	stable := journal.Release{Revision: "4f2a90b1c2d3", Version: "1.1.0", Image: image}
	err := j.Append(s.t.Context(), journal.Entry{
		At: at, Action: journal.ActionPromote, Model: "digits", To: stable.Revision, Version: stable.Version, Reason: "it passed", Actor: journal.Daemon,
		Record: &journal.Record{
			FormatVersion: journal.RecordFormat, Model: "digits", Stable: &stable, Since: at,
			Last: &journal.Ended{Outcome: journal.Promoted, Revision: stable.Revision, Reason: "it passed", Started: at, At: at},
		},
	})
	if err == nil {
		err = j.Deliver(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// prod is a daemon of prod that takes entries signed by a key only; of nil: any.
func (s staged) prod(data string, key *signature.Signer) *Site {
	s.t.Helper()
	site, _, err := memorySite(s.dir, data, "prod")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(site.closeEnvironments)
	if key != nil {
		site.Config.JournalSigners = filepath.Join(s.t.TempDir(), "signers")
		if err := os.WriteFile(site.Config.JournalSigners, []byte(key.PublicKey()+"\n"), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	site.Config.Interval = -1 // each look is a look
	return site
}

// wishes are the keys of what is proposed for prod.
func (s staged) wishes(site *Site) string {
	s.t.Helper()
	latest, err := site.Source.Latest(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	cfg, err := site.Load(s.t.Context(), latest.Tree)
	if err != nil {
		s.t.Fatal(err)
	}
	in := &propose.Input{Environment: "prod", Config: cfg, Wanted: map[string]string{}, Records: map[string]journal.Record{}, Upstream: site.upstream(s.t.Context(), &following{cfg, latest.Tree})}
	var keys []string
	for key, want := range propose.Wishes(in, time.Now()) {
		if want.Wish != nil {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, " ")
}

func newKey(t *testing.T) *signature.Signer {
	t.Helper()
	signer, err := signature.NewSigner(providertest.SSHKey(t), "")
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Whoever can push to the repository can write to staging's journal. With keys for that
// journal, what they write promotes nothing, in whatever way it came there.
func TestForgedEvidencePromotesNothing(t *testing.T) {
	t.Parallel()
	const wish = "promotion-digits"
	const other = "registry:5000/digits@sha256:3333333333333333333333333333333333333333333333333333333333333333"
	key, stranger := newKey(t), newKey(t)
	begin := func(t *testing.T) staged {
		s := staged{newConfigRepo(t, 0), t}
		s.write("common.hcl", promotions)
		s.git("add", ".")
		s.git("commit", "-q", "-m", "promotions")
		return s
	}
	t.Run("good evidence does", func(t *testing.T) {
		s := begin(t)
		s.decide(s.journal(key), stagedImage)
		if got := s.wishes(s.prod(t.TempDir(), key)); got != wish {
			t.Errorf("proposed %q", got)
		}
	})
	for name, by := range map[string]*signature.Signer{"unsigned": nil, "of another key": stranger} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.decide(s.journal(key), other) // staging is still at something else
			data := t.TempDir()
			watching := s.prod(data, key)
			if got := s.wishes(watching); got != "" {
				t.Fatalf("proposed %q before there is evidence", got)
			}
			s.decide(s.journal(by), stagedImage)
			if got := s.wishes(s.prod(t.TempDir(), nil)); got != wish {
				t.Fatalf("the forgery is not good enough: who asks for no key is not deceived, %q", got)
			}
			for what, site := range map[string]*Site{"who looked before": watching, "after a restart": s.prod(data, key), "after a loss of data": s.prod(t.TempDir(), key)} {
				if got := s.wishes(site); got != "" {
					t.Errorf("%s: proposed %q", what, got)
				}
			}
		})
	}
	t.Run("fetched before keys were asked for", func(t *testing.T) {
		s := begin(t)
		s.decide(s.journal(nil), stagedImage)
		data := t.TempDir()
		if got := s.wishes(s.prod(data, nil)); got != wish {
			t.Fatalf("proposed %q", got)
		}
		if got := s.wishes(s.prod(data, key)); got != "" {
			t.Errorf("proposed %q", got)
		}
		// The daemon of staging has put its journal right.
		s.git("update-ref", "-d", "refs/heads/"+journal.Branch("staging"))
		s.decide(s.journal(key), stagedImage)
		if got := s.wishes(s.prod(data, key)); got != wish {
			t.Errorf("proposed %q with good evidence", got)
		}
	})
	t.Run("from before the journal was signed", func(t *testing.T) {
		s := begin(t)
		unsigned := s.journal(nil)
		s.decide(unsigned, stagedImage)
		newest, err := unsigned.History(t.Context(), journal.Query{Limit: 1})
		if err != nil || len(newest) != 1 {
			t.Fatal(newest, err)
		}
		last := newest[0].ID
		s.decide(s.journal(key), stagedImage)
		for name, c := range map[string]struct{ since, want string }{"prod": {"prod=" + last, ""}, "staging": {"staging=" + last, wish}} {
			site := s.prod(t.TempDir(), key)
			site.Config.SignedSince = []string{c.since}
			if err := site.Config.takeSignedSince(); err != nil {
				t.Fatal(err)
			}
			if got := s.wishes(site); got != c.want {
				t.Errorf("what was unsigned is taken in the journal of %s: proposed %q, want %q", name, got, c.want)
			}
		}
		s.decide(s.journal(stranger), stagedImage)
		site := s.prod(t.TempDir(), key)
		site.Config.JournalSignedSince = map[string]string{"staging": last}
		if got := s.wishes(site); got != "" {
			t.Errorf("a forgery after it: proposed %q", got)
		}
	})
	t.Run("of the journal of prod itself", func(t *testing.T) {
		s := begin(t)
		j, err := git.NewJournal(git.JournalOptions{Dir: filepath.Join(t.TempDir(), "journal"), URL: s.dir, Branch: journal.Branch("prod"), Author: git.Author{Signer: key}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(j.Close)
		if _, err := j.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.decide(j, stagedImage)
		s.git("branch", "-q", journal.Branch("staging"), journal.Branch("prod"))
		if got := s.wishes(s.prod(t.TempDir(), key)); got != "" {
			t.Errorf("proposed %q", got)
		}
	})
	t.Run("that cannot be had now", func(t *testing.T) {
		s := begin(t)
		s.decide(s.journal(key), stagedImage)
		site := s.prod(t.TempDir(), key)
		if got := s.wishes(site); got != wish {
			t.Fatalf("proposed %q", got)
		}
		latest, err := site.Source.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cfg := &spec.Config{Promotions: []*spec.Promotion{{Name: "prod", From: "staging"}}}
		if got := site.upstream(t.Context(), &following{cfg, latest.Tree}); len(got) != 1 {
			t.Fatalf("got %+v", got)
		}
		if err := os.Rename(s.dir, s.dir+".away"); err != nil {
			t.Fatal(err)
		}
		if got := site.upstream(t.Context(), &following{cfg, latest.Tree}); len(got) != 0 {
			t.Errorf("what was known before counts: %+v", got)
		}
	})
}
