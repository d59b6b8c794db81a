package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/providers/forge/gitea"
	"github.com/fairlead/fairlead/providers/forge/github"
	"github.com/fairlead/fairlead/providers/forge/gitlab"
	"github.com/fairlead/fairlead/reconcile"
)

// ForgeConfig says where the config repo is reviewed. The zero ForgeConfig is nowhere:
// proposals are branches then.
type ForgeConfig struct {
	Kind      string // github, gitlab, gitea or forgejo
	URL       string // that people open; empty: the host of the repo
	Repo      string // acme/models; empty: as in the URL of the repo
	TokenFile string
	CAFile    string
	// Of a GitHub App, in place of a token.
	AppID           int64
	AppInstallation int64 // 0: it is asked for
	AppKeyFile      string
	// PlanForks: pull requests from other repositories are planned, too.
	PlanForks bool
	// Review is whether pull requests get a plan, and commits their status.
	Review bool
}

// forgeKinds are the forges that there are.
var forgeKinds = []string{"github", "gitlab", "gitea", "forgejo"}

func (c *Config) checkForge() error {
	f := &c.Forge
	switch {
	case f.Kind == "" && *f != (ForgeConfig{Review: f.Review}):
		return fmt.Errorf("--forge is missing; it is one of %s", strings.Join(forgeKinds, ", "))
	case f.Kind == "":
		return nil
	case !slices.Contains(forgeKinds, f.Kind):
		return fmt.Errorf("--forge %q is none of %s", f.Kind, strings.Join(forgeKinds, ", "))
	case f.Kind != "github" && (f.AppID != 0 || f.AppKeyFile != ""):
		return errors.New("--forge-app-id and --forge-app-key-file are for --forge github; take --forge-token-file")
	case (f.AppID == 0) != (f.AppKeyFile == ""):
		return errors.New("--forge-app-id and --forge-app-key-file belong together; one is missing")
	case f.TokenFile == "" && f.AppID == 0:
		return fmt.Errorf("--forge %s needs --forge-token-file", f.Kind)
	}
	return nil
}

// openForge returns the forge of the config repo; nil where there is none.
func openForge(c Config, log *slog.Logger) (reconcile.Forge, error) {
	f := c.Forge
	if f.Kind == "" {
		return nil, nil
	}
	address, repo, _ := forgeOf(c.Repo) // both may be said, and then need not follow from it
	if f.URL != "" {
		address = f.URL
	}
	if f.Repo != "" {
		repo = f.Repo
	}
	if address == "" || repo == "" {
		return nil, fmt.Errorf("where %s is on the forge does not follow from its name, which is no URL with a host and a path; say it: --forge-url https://HOST --forge-repo OWNER/NAME", redact(c.Repo))
	}
	switch f.Kind {
	case "github":
		o := github.Options{BaseURL: address, Repo: repo, TokenFile: f.TokenFile, CAFile: f.CAFile, Log: log}
		if f.AppID != 0 {
			o.App = &github.App{ID: f.AppID, InstallationID: f.AppInstallation, KeyFile: f.AppKeyFile}
		}
		return asForge(github.New(o))
	case "gitlab":
		return asForge(gitlab.New(gitlab.Options{BaseURL: address, Repo: repo, TokenFile: f.TokenFile, CAFile: f.CAFile, Log: log}))
	default:
		product := ""
		if f.Kind == "forgejo" {
			product = "Forgejo"
		}
		return asForge(gitea.New(gitea.Options{BaseURL: address, Repo: repo, Product: product, TokenFile: f.TokenFile, CAFile: f.CAFile, Log: log}))
	}
}

var errNoForgeAddress = errors.New("the repo is no URL with a host and a path")

// asForge keeps a nil pointer from becoming a forge.
func asForge[F reconcile.Forge](f F, err error) (reconcile.Forge, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// forgeOf reads the address of a forge and the repository on it from the URL of a remote.
func forgeOf(remote string) (address, repo string, err error) {
	if host, path, scp := strings.Cut(remote, ":"); scp && !strings.Contains(remote, "://") && !strings.Contains(host, "/") {
		if _, after, user := strings.Cut(host, "@"); user {
			host = after
		}
		return "https://" + host, trimRepo(path), nil
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return "", "", errNoForgeAddress // the error of Parse may quote a password
	}
	address = "https://" + u.Hostname()
	if u.Scheme == "http" || u.Scheme == "https" {
		address = u.Scheme + "://" + u.Host
	}
	return address, trimRepo(u.Path), nil
}

func trimRepo(path string) string {
	return strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}
