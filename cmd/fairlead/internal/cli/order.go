package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// orderExits is the end of the help of every order.
const orderExits = `
The order is about what is shown before it is sent, or about --revision: it is
refused where the model has moved on since. It stands in the journal with its
reason and --actor.

Exit codes: 0 it is decided, and journaled; 1 error, or refused.`

// order is one way to decide about a rollout by hand.
type order struct {
	kind  rollout.ActKind
	short string
	long  string
}

var orders = []order{
	{
		kind: rollout.ActPromote, short: "Approve the step that waits, or with --full promote past steps and checks",
		long: `Lets the step pass that waits for an approval, also before its hold is over; the
checks of the steps that follow count as ever. With --full the candidate is
promoted at once, past all steps and checks that are left.
`,
	},
	{
		kind: rollout.ActPause, short: "Keep a rollout where it is, until it is resumed",
		long: `Keeps the weight as it is. Time that passes meanwhile counts neither for a hold nor
for a deadline.
`,
	},
	{
		kind: rollout.ActResume, short: "Let a rollout go on that was paused",
		long: `Lets a rollout go on that was paused, where it was.
`,
	},
	{
		kind: rollout.ActAbort, short: "End a rollout: stable gets all requests, the candidate is rejected",
		long: `Gives all requests to stable at once, removes the candidate, and puts it into the
ledger of rejected revisions: it is not started again until "fairlead rollout
retry" clears it, or Git wants another one.
`,
	},
	{
		kind: rollout.ActRetry, short: "Clear a rejected revision, so that it is rolled out again",
		long: `Takes a revision out of the ledger of rejected ones; if Git wants it, its rollout
starts from the beginning. A rollout that is held starts over. Without --revision
the one that Git wants is meant.
`,
	},
	{
		kind: rollout.ActUndo, short: "Go back to the previous release at once, while it is kept",
		long: `Gives all requests to the release before stable, whose replicas are kept for
keep_previous, without steps and checks. The revision that is left is rejected:
Git still wants it, and it would be rolled out again. Then revert it in Git.
`,
	},
}

func (p *program) orderCommands() []*cobra.Command {
	commands := make([]*cobra.Command, 0, len(orders))
	for _, o := range orders {
		commands = append(commands, p.orderCommand(o))
	}
	return commands
}

func (p *program) orderCommand(o order) *cobra.Command {
	var f siteFlags
	var body app.RolloutOrder
	example := fmt.Sprintf("fairlead rollout %s digits --reason \"...\"", o.kind)
	cmd := &cobra.Command{
		Use:   string(o.kind) + " MODEL --reason TEXT",
		Short: o.short,
		Long:  o.long + orderExits,
		Args:  oneModel(example),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			if strings.TrimSpace(body.Reason) == "" {
				return errors.New("say why, with --reason TEXT: it stands in the journal for ever, for whoever asks later who decided this and what they knew")
			}
			if body.Actor = cmp.Or(strings.TrimSpace(body.Actor), p.actor()); body.Actor == "" {
				return errors.New("say who decides this, with --actor NAME; this system does not tell")
			}
			d, err := f.reach(c)
			if err != nil {
				return err
			}
			return p.order(cmd.Context(), d, o.kind, args[0], body)
		},
	}
	flags := cmd.Flags()
	f.registerDaemon(flags)
	flags.StringVar(&body.Reason, "reason", "", "`TEXT` that says why; required")
	flags.StringVar(&body.Actor, "actor", "", "`NAME` of who decides (default: the user of this system, as USER@HOST)")
	flags.StringVar(&body.Revision, "revision", "", "`REVISION` that is meant (default: the one that is shown)")
	if o.kind == rollout.ActPromote {
		flags.BoolVar(&body.Full, "full", false, "promote at once, past all steps and checks that are left")
	}
	return cmd
}

// actor is who sits at this terminal: also behind sudo.
func (p *program) actor() string {
	name := p.Getenv("SUDO_USER")
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	if name = cmp.Or(name, p.Getenv("USER")); name == "" {
		return ""
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// order shows what an order is about, and gives it.
func (p *program) order(ctx context.Context, d *daemon, kind rollout.ActKind, name string, body app.RolloutOrder) error {
	status, err := acting(ctx, d)
	if err != nil {
		return err
	}
	m, err := modelIn(status, name)
	if err != nil {
		return err
	}
	if m.Rollout != nil {
		body.Step = m.Rollout.Step
	}
	if body.Revision == "" {
		if body.Revision, err = about(kind, m); err != nil {
			return err
		}
	}
	if !p.json {
		if err := p.view.Ordering(kind, &body, m, time.Now()); err != nil {
			return err
		}
	}
	given := view.OrderGiven{FormatVersion: controller.StatusFormat}
	path := fmt.Sprintf("/api/v1/rollouts/%s/%s", url.PathEscape(m.Name), kind)
	if err := d.post(ctx, path, body, &given.Entry); err != nil {
		return p.refused(ctx, d, m.Name, err)
	}
	return p.show(given, func() error { return p.view.OrderGiven(&given) })
}

// refused adds to a refusal how things stand now, where that has changed.
func (p *program) refused(ctx context.Context, d *daemon, model string, err error) error {
	refusal, ok := errors.AsType[*refusedError](err)
	if !ok || refusal.status != http.StatusConflict {
		return err
	}
	status, askErr := acting(ctx, d)
	if askErr != nil {
		return err
	}
	m, findErr := modelIn(status, model)
	if findErr != nil {
		return err
	}
	return fmt.Errorf("%w\nNow: %s", err, view.Standing(m, time.Now()))
}

// about is the revision that an order means where nobody named one: what was
// shown to the person. The error says what else there is.
func about(kind rollout.ActKind, m *controller.ModelStatus) (string, error) {
	switch kind {
	case rollout.ActPromote, rollout.ActPause, rollout.ActResume, rollout.ActAbort:
		if m.Rollout != nil {
			return m.Rollout.Candidate.Revision, nil
		}
		return "", fmt.Errorf("no rollout of %s is under way: %s", m.Name, view.Standing(m, time.Now()))
	case rollout.ActUndo:
		if m.Stable != nil {
			return m.Stable.Revision, nil
		}
		return "", fmt.Errorf("nothing of %s was ever promoted, so there is nothing to go back from", m.Name)
	case rollout.ActRetry:
		return aboutRetry(m)
	}
	return "", fmt.Errorf("there is no order %q", kind)
}

// aboutRetry is the rejected revision that Git wants, the held candidate, or the
// only one that is rejected.
func aboutRetry(m *controller.ModelStatus) (string, error) {
	if m.Rollout != nil && m.Rollout.Held != "" {
		return m.Rollout.Candidate.Revision, nil
	}
	var rejected []string
	for _, r := range m.Rejected {
		if r.Revision == m.Revision {
			return r.Revision, nil
		}
		rejected = append(rejected, r.Revision)
	}
	switch len(rejected) {
	case 0:
		return "", fmt.Errorf("no revision of %s is rejected, so there is nothing to retry", m.Name)
	case 1:
		return rejected[0], nil
	}
	return "", fmt.Errorf("several revisions of %s are rejected, none of which Git wants now; say which: --revision %s", m.Name, strings.Join(rejected, ", or --revision "))
}
