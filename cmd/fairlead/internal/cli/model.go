package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// fromRegistry is the part of the help that the commands about versions share.
const fromRegistry = `
The registry is the config repo: a version is a block in it. The daemon is asked for
the commit that it follows, and for its journal. Where none runs, or with --repo, the
repository is read, with its branch fairlead/journal/ENVIRONMENT.
`

func (p *program) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Look at versions of models: what they are, what they came from, where they serve",
		Long: `A version of a model is an entry of the config repo: its artifact, the run and the
data that it came from, its metrics and gates. It never changes once it is merged.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.modelListCommand(), p.modelVersionsCommand(), p.modelShowCommand(), p.modelDiffCommand(), p.modelLineageCommand(), p.modelCardCommand())
	return cmd
}

func (p *program) modelListCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List models with their versions: which serves, and which is the newest",
		Long: `Lists the models that are declared or have versions.
` + fromRegistry + `
Exit codes: 0 fine, 1 error.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known, err := p.versions(cmd, &f, false)
			if err != nil {
				return err
			}
			list := view.ModelsOf(known.Facts)
			list.Environment, list.Note = known.environment, known.note
			return p.show(list, func() error { return p.view.Models(list) })
		},
	}
	f.registerVersions(cmd.Flags())
	return cmd
}

func (p *program) modelVersionsCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "versions MODEL",
		Short: "List the versions of a model, with their metrics and where they serve",
		Long: `Lists the versions of a model, the newest first.
` + fromRegistry + `
    fairlead model versions digits

Exit codes: 0 fine, 1 error, or there is no such model.`,
		Args: oneModel("fairlead model versions digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := servedName(args[0])
			if err != nil {
				return err
			}
			known, err := p.versions(cmd, &f, false)
			if err != nil {
				return err
			}
			if err := known.has(name); err != nil {
				return err
			}
			list := view.VersionsOf(known.Facts, name)
			list.Note = known.note
			return p.show(list, func() error { return p.view.Versions(list) })
		},
	}
	f.registerVersions(cmd.Flags())
	return cmd
}

func (p *program) modelShowCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "show MODEL[@VERSION]",
		Short: "Show a version: its artifact, metrics, gates, and what it was made from",
		Long: `Shows an entry of the registry. Without a version the one that serves is meant, or
the newest where none does.
` + fromRegistry + `
    fairlead model show digits@1.2.0

Exit codes: 0 fine, 1 error, or there is no such version.`,
		Args: oneModel("fairlead model show digits@1.2.0"),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, v, err := p.version(cmd, &f, args[0])
			if err != nil {
				return err
			}
			shown := &view.VersionShown{FormatVersion: app.RegistryFormat, Version: v, At: v.Pos.String(), Places: known.Places(v)}
			return p.show(shown, func() error { return p.view.Version(shown) })
		},
	}
	f.registerVersions(cmd.Flags())
	return cmd
}

func (p *program) modelDiffCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "diff MODEL@VERSION MODEL@VERSION",
		Short: "Show what differs between two versions: metrics, parameters, data, images",
		Long: `Shows the metrics of two versions side by side, and what of all that they were made
from is not the same.
` + fromRegistry + `
    fairlead model diff digits@1.1.0 digits@1.2.0

Exit codes: 0 fine, 1 error, or there is no such version.`,
		Args: func(_ *cobra.Command, args []string) error {
			const example = "fairlead model diff digits@1.1.0 digits@1.2.0"
			switch len(args) {
			case 0, 1:
				return fmt.Errorf("say which two versions are compared; for example: %s", example)
			case 2:
				return nil
			}
			return unexpected(args[2], example)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			known, from, err := p.version(cmd, &f, args[0])
			if err != nil {
				return err
			}
			to, err := known.find(args[1])
			if err != nil {
				return err
			}
			d := &view.VersionDiff{FormatVersion: app.RegistryFormat, Difference: registry.Diff(from, to)}
			return p.show(d, func() error { return p.view.VersionDiff(d) })
		},
	}
	f.registerVersions(cmd.Flags())
	return cmd
}

func (p *program) modelCardCommand() *cobra.Command {
	var f siteFlags
	cmd := &cobra.Command{
		Use:   "card MODEL[@VERSION]",
		Short: "Print the model card of a version, with its facts, as Markdown",
		Long: `Prints the model card that the version names, followed by a table of what is known of
it: data, parameters, metrics, gates. Says so where the card has changed since the
version was published.
` + fromRegistry + `
    fairlead model card digits@1.2.0 > card.md

Exit codes: 0 fine, 1 error, or there is no such version.`,
		Args: oneModel("fairlead model card digits@1.2.0"),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, v, err := p.version(cmd, &f, args[0])
			if err != nil {
				return err
			}
			card := view.CardOf(v, known.cards, known.Places(v))
			return p.show(card, func() error { return p.view.Card(card) })
		},
	}
	f.registerVersions(cmd.Flags())
	return cmd
}

// known is what can be told about versions.
type known struct {
	registry.Facts
	environment string
	cards       map[string]string
	// note says what is missing, such as the journal.
	note string
}

// versions asks the daemon, or reads the repository. With history the decisions of
// the journal are read, too.
func (p *program) versions(cmd *cobra.Command, f *siteFlags, history bool) (*known, error) {
	named := cmd.Flags().Changed("repo")
	c, err := p.resolve(cmd, f)
	if err != nil {
		return nil, err
	}
	ctx := cmd.Context()
	past, err := f.past(ctx, c, named)
	note := ""
	switch {
	case err == nil:
		defer func() { _ = past.close() }()
	case named && f.daemon == "": // the versions are there, whatever became of the journal
		past, note = nil, "where versions serve is not known: "+err.Error()
	default:
		return nil, err
	}
	r, err := p.registryOf(ctx, c, past)
	if err != nil {
		return nil, err
	}
	k := &known{environment: r.Environment, cards: r.Cards, note: note}
	var records map[string]journal.Record
	var entries []journal.Entry
	if past != nil {
		if records, err = past.records(ctx, time.Now()); err != nil {
			return nil, err
		}
		if history {
			if entries, err = past.history(ctx, journal.Query{Limit: lookBack}); err != nil {
				return nil, err
			}
		}
	}
	k.Facts = r.Facts(records, entries)
	return k, nil
}

// registryOf is that of the daemon, or of the repository.
func (p *program) registryOf(ctx context.Context, c app.Config, past *past) (*app.Registry, error) {
	if past != nil && past.daemon != nil {
		var r app.Registry
		return &r, past.daemon.get(ctx, "/api/v1/registry", nil, &r)
	}
	if c.Repo == "" {
		return nil, errors.New("no daemon answers, and no repository is named; say where the versions are, with --repo URL")
	}
	r, tree, err := app.ReadRegistry(ctx, c)
	if err != nil {
		return nil, p.explainError(err, tree)
	}
	return r, nil
}

// version is the one that an argument means.
func (p *program) version(cmd *cobra.Command, f *siteFlags, arg string) (*known, *spec.Version, error) {
	k, err := p.versions(cmd, f, false)
	if err != nil {
		return nil, nil, err
	}
	v, err := k.find(arg)
	return k, v, err
}

// splitVersion reads MODEL[@VERSION].
func splitVersion(arg string) (model, version string, err error) {
	name, version, _ := strings.Cut(arg, "@")
	model, err = servedName(name)
	return model, strings.TrimPrefix(version, "v"), err
}

// find is the version that MODEL[@VERSION] means.
func (k *known) find(arg string) (*spec.Version, error) {
	model, version, err := splitVersion(arg)
	if err != nil {
		return nil, err
	}
	if err := k.has(model); err != nil {
		return nil, err
	}
	if version == "" {
		if l, err := k.OfRelease(model, ""); err == nil && l.Entry != nil {
			return l.Entry, nil
		}
		newest := view.Newest(k.Facts, model)
		if newest == nil {
			return nil, fmt.Errorf("model %s has no version in the registry; a pipeline with publish proposes one", model)
		}
		return newest, nil
	}
	l, err := k.OfVersion(model, version)
	if err != nil {
		return nil, err
	}
	return l.Entry, nil
}

// has is an error where nothing is known of a model.
func (k *known) has(model string) error {
	var names []string
	for _, m := range k.Config.Models {
		names = append(names, m.Name)
	}
	for _, v := range k.Config.Versions {
		names = append(names, v.Model)
	}
	for name := range k.Records {
		names = append(names, name)
	}
	if slices.Contains(names, model) {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if near := lang.Nearest(model, names); near != "" || len(names) == 0 {
		return unknownModel(model, names)
	}
	return fmt.Errorf("there is no model %q; see: fairlead model list", model)
}

func (p *program) modelLineageCommand() *cobra.Command {
	var f siteFlags
	var dataset, container string
	cmd := &cobra.Command{
		Use:   "lineage MODEL[@VERSION] | --dataset NAME | --container ID",
		Short: "Show what a version was made from and who approved it, or where data went",
		Long: `Follows a version back: to its commit, run, parameters, step images, data, gates, and
to who approved what about it; and tells where it serves. Without a version the one
that serves is meant. --container starts from a container that runs, --dataset goes
forward from data, by name or digest, to everything that is made of it.
` + fromRegistry + `
    fairlead model lineage digits
    fairlead model lineage --dataset digits
    fairlead model lineage --container 3f2a9c

Exit codes: 0 fine, 1 error, or there is no such thing.`,
		Args: func(_ *cobra.Command, args []string) error {
			const example = "fairlead model lineage digits@1.2.0"
			given := len(args)
			for _, flag := range []string{dataset, container} {
				if flag != "" {
					given++
				}
			}
			switch {
			case given == 0:
				return fmt.Errorf("say what is followed: a version, --dataset or --container; for example: %s", example)
			case len(args) > 1:
				return unexpected(args[1], example)
			case given > 1:
				return errors.New("follow one thing: a version, --dataset or --container")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := p.versions(cmd, &f, true)
			if err != nil {
				return err
			}
			if dataset != "" {
				uses, err := k.Uses(dataset)
				if err != nil {
					return err
				}
				shown := &view.UsesShown{FormatVersion: app.RegistryFormat, Uses: uses, Note: k.note}
				return p.show(shown, func() error { return p.view.Uses(shown) })
			}
			var l *registry.Lineage
			if container != "" {
				l, err = p.lineageOfContainer(cmd, &f, k, container)
			} else {
				l, err = k.lineage(args[0])
			}
			if err != nil {
				return err
			}
			shown := &view.LineageShown{FormatVersion: app.RegistryFormat, Lineage: l, Note: k.note}
			return p.show(shown, func() error { return p.view.Lineage(shown) })
		},
	}
	f.registerVersions(cmd.Flags())
	f.registerEngine(cmd.Flags())
	cmd.Flags().StringVar(&dataset, "dataset", "", "go forward from this dataset, by `NAME` or digest")
	cmd.Flags().StringVar(&container, "container", "", "go back from this container, by the beginning of its `ID` or its name")
	return cmd
}

// lineage is that of a version, or of what serves.
func (k *known) lineage(arg string) (*registry.Lineage, error) {
	model, version, err := splitVersion(arg)
	if err != nil {
		return nil, err
	}
	if err := k.has(model); err != nil {
		return nil, err
	}
	if version != "" {
		return k.OfVersion(model, version)
	}
	if _, served := k.Records[model]; served {
		return k.OfRelease(model, "")
	}
	v, err := k.find(model)
	if err != nil {
		return nil, err
	}
	return k.OfVersion(model, v.Version)
}

// lineageOfContainer asks the engine which release a container is of.
func (p *program) lineageOfContainer(cmd *cobra.Command, f *siteFlags, k *known, id string) (*registry.Lineage, error) {
	c, err := f.WithDefaults()
	if err != nil {
		return nil, err
	}
	site, err := app.OpenScope(c, app.Look)
	if err != nil {
		return nil, err
	}
	defer func() { _ = site.Close() }()
	containers, err := site.Runtime.List(cmd.Context(), reconcile.Filter{})
	if err != nil {
		return nil, err
	}
	found, err := containerOf(containers, id)
	if err != nil {
		return nil, fmt.Errorf("%w, of owner %s in environment %s", err, c.Owner, c.Environment)
	}
	return k.OfRelease(found.Model, found.Revision)
}

// containerOf is the container of a model with that name, or whose id begins so.
func containerOf(containers []reconcile.Container, id string) (*reconcile.Container, error) {
	var found *reconcile.Container
	for i := range containers {
		c := &containers[i]
		if c.Name != id && !strings.HasPrefix(c.ID, id) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the ids of several containers begin with %s; write more of it", id)
		}
		found = c
	}
	switch {
	case found == nil:
		return nil, fmt.Errorf("there is no container %s", id)
	case found.Kind != spec.KindModel:
		return nil, fmt.Errorf("container %s is no replica of a model, but a %s", found.Name, found.Kind)
	}
	return found, nil
}

// registerVersions adds the flags of commands that read the registry and the journal.
func (f *siteFlags) registerVersions(flags *pflag.FlagSet) {
	f.registerPast(flags)
	f.registerLanguage(flags)
	flags.StringVar(&f.Path, "path", "", "`DIR` of the repository that holds the specs, for --repo (default: all of it)")
	flags.StringVar(&f.Branch, "branch", "", "`BRANCH` of the repository, for --repo (default: its own)")
}
