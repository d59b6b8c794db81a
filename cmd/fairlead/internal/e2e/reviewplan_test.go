package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/reconcile/review"
)

// planned waits until a pull request shows a plan with all of these texts, and that
// its head has the state. There is one comment, whatever happened before.
func (r *reviewed) planned(number int, state string, texts ...string) (comment string) {
	r.t.Helper()
	r.untilNothing(func() string {
		comments := r.forge.Comments(number)
		if len(comments) != 1 || comments[0].By != bot || !strings.Contains(comments[0].Body, review.Marker("default", r.name)) {
			return fmt.Sprintf("the comments of #%d are %+v, want one plan", number, comments)
		}
		comment = comments[0].Body
		for _, text := range texts {
			if !strings.Contains(comment, text) {
				return fmt.Sprintf("the plan does not say %q:\n%s", text, comment)
			}
		}
		p, err := r.forge.Pull(number)
		if err != nil {
			return err.Error()
		}
		shown := r.forge.Statuses(p.HeadSHA)
		if len(shown) != 1 || shown[0].Context != review.Context("default", r.name) || shown[0].State != state {
			return fmt.Sprintf("the checks of #%d are %+v, want %s", number, shown, state)
		}
		return ""
	})
	return comment
}

// pull is what the daemon says of a pull request.
func (r *reviewed) pull(number int) (found app.PullStatus, known bool) {
	s, ok := r.status()
	i := slices.IndexFunc(s.Pulls, func(p app.PullStatus) bool { return p.Number == number })
	if !ok || i < 0 {
		return found, false
	}
	return s.Pulls[i], true
}

// A pull request shows what merging it would do in one comment and one check, however
// often it, or what it is merged into, changes, and whoever restarts.
func TestPullRequestShowsItsPlan(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	models := func(spec string) map[string]string { return map[string]string{"models.hcl": spec} }
	first := r.commit("Digits", models(r.digits("1.0.0", r.image, byErrors)))
	r.serveForge()
	r.steady(first)

	next := r.digits("1.1.0", r.bad, byErrors)
	number := r.propose("digits", "Digits 1.1.0", models(next))
	r.planned(number, "success", "1 to roll out", "model.digits", "50 %", first[:7], r.forge.Head("digits")[:7])
	r.commitAs(ann, "digits", "More of them", models(strings.Replace(next, "replicas     = 1", "replicas     = 2", 1)))
	r.planned(number, "success", "1 to roll out", r.forge.Head("digits")[:7])
	r.commitAs(ann, "digits", "A slip", models(strings.Replace(next, "replicas     = 1", "replicas     = many", 1)))
	r.planned(number, "failure", "1 error in the specs", "models.hcl:5", r.forge.Head("digits")[:7])
	r.commitAs(ann, "digits", "Mended", models(next))
	mended := r.planned(number, "success", "1 to roll out", r.forge.Head("digits")[:7])

	r.world.AddUser("eve")
	fork := r.fork("eve")
	if _, err := fork.Commit("eve", "gift", "A gift", models(r.digits("6.6.6", r.bad, ""))); err != nil {
		t.Fatal(err)
	}
	gift, err := r.forge.OpenPull("eve", "eve:gift", "main", "A gift", "")
	if err != nil {
		t.Fatal(err)
	}
	r.until("the pull request from a fork is not planned", func() bool {
		p, known := r.pull(gift)
		return known && strings.Contains(p.Skipped, "fork")
	})

	r.commit("Digits 1.0.5", models(r.digits("1.0.5", r.image, byErrors)))
	r.planned(number, "failure", "conflicts", "models.hcl")
	moved := r.commit("Back to 1.0.0", models(r.digits("1.0.0", r.image, byErrors)))
	if again := r.planned(number, "success", moved[:7]); again == mended {
		t.Error("the plan is the one before main moved on")
	}
	if strings.Contains(mended, r.data) {
		t.Errorf("the plan tells of the daemon's files:\n%s", mended)
	}
	r.daemon.stop()
	restarted := time.Now()
	r.serveForge()
	r.until("the pull request is planned after the restart", func() bool {
		p, known := r.pull(number)
		return known && p.At.After(restarted) && p.Error == ""
	})
	r.planned(number, "success", "1 to roll out")
	if got := r.forge.Comments(gift); len(got) != 0 {
		t.Errorf("a pull request from a fork is commented: %+v", got)
	}
	r.planByHand(number)
}

// fork is the repository as somebody else has it.
func (r *reviewed) fork(login string) *forgetest.Repo {
	r.t.Helper()
	fork, err := r.forge.Fork(login)
	if err != nil {
		r.t.Fatal(err)
	}
	return fork
}

// planByHand does the same from the command line, and posts nothing.
func (r *reviewed) planByHand(number int) {
	r.t.Helper()
	before := r.forge.Comments(number)
	out, code := r.fairlead("plan", "--pr", fmt.Sprint(number), r.forge.CloneURL())
	if code != 0 || !strings.Contains(out, "model.digits") {
		r.t.Errorf("plan --pr ends with %d:\n%s", code, out)
	}
	if after := r.forge.Comments(number); !slices.Equal(before, after) {
		r.t.Errorf("plan --pr has changed the comments to %+v", after)
	}
}

// A push is followed when its webhook comes, long before the next poll. One that is not
// signed by the forge is refused, and has nobody look.
func TestWebhookWakesTheDaemon(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	const secret = "the secret of the hook"
	r.set("WEBHOOK", "main=gitea:"+r.file("hook", secret+"\n"))
	address := freeAddress(t)
	hook := "http://" + address + "/hooks/main"
	r.set("WEBHOOK_LISTEN", address)
	r.set("INTERVAL", "1h")
	first := r.commit("Notes", map[string]string{"NOTES.md": "None.\n"})
	r.serveForge()
	r.follows(first)

	r.forge.AddHook(hook, "another secret")
	fetched := r.fetched()
	r.commit("Forged", map[string]string{"NOTES.md": "Forged.\n"})
	sent := r.world.Deliveries() // the journal is pushed, too
	if len(sent) == 0 {
		t.Error("no webhook was sent")
	}
	for _, d := range sent {
		if d.Status != http.StatusUnauthorized {
			t.Errorf("a webhook with a wrong signature is answered with %d, want 401", d.Status)
		}
	}
	if out, code := r.fairlead("status"); code != 0 {
		t.Errorf("status ends with %d: %s", code, out)
	}
	if now := r.fetched(); !now.Equal(fetched) {
		t.Errorf("the daemon has fetched at %s for a webhook that is not signed", now)
	}

	r.forge.AddHook(hook, secret)
	limit := time.Second
	if !long() {
		limit = 10 * time.Second // other tests keep the machine busy
	}
	least := time.Hour
	for tries := 0; tries < 5 && least > limit; tries++ { // the machine may be busy
		began := time.Now()
		commit := r.commit("More notes", map[string]string{"NOTES.md": fmt.Sprintln(began)})
		r.follows(commit)
		least = min(least, time.Since(began))
	}
	if least > limit {
		t.Errorf("from a push to a commit that is followed it took %s at least, want at most %s", least, limit)
	}
	t.Logf("from a push to a commit that is followed: %s", least)
}

// fetched is when the daemon has last looked at the repository.
func (r *reviewed) fetched() time.Time {
	r.t.Helper()
	s, ok := r.status()
	if !ok {
		r.t.Fatal("the daemon does not answer")
	}
	return s.Source.Fetched
}
