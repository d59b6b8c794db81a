package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// mayWrite asks for the membership in the project, in a group above it, or in one that
// it was shared with.
func (f *Forge) mayWrite(ctx context.Context, id int64, who string) (bool, error) {
	if write, found := f.permissions.Get(id); found {
		return write, nil
	}
	member, response, err := f.client.ProjectMembers.GetInheritedProjectMember(f.repo, id, gitlab.WithContext(ctx))
	write := false
	switch {
	case status(response) == http.StatusNotFound: // no member
	case err != nil, member == nil:
		return false, f.failed(rest.Call{Doing: "ask whether " + who + " may write", Needs: needsRead}, response, err)
	default:
		write = member.State == "active" && member.AccessLevel >= gitlab.DeveloperPermissions
	}
	f.permissions.Put(id, write)
	return write, nil
}

// Members implements reconcile.Forge. A team is a group, by its full path; a name
// without a slash is a group right below the one that the project is in, or one of
// those that it is in. Who is a member of a group above is one of it as well.
func (f *Forge) Members(ctx context.Context, team string) ([]string, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	path, valid := f.group(strings.TrimPrefix(team, "@"))
	if !valid {
		return nil, fmt.Errorf("%s: %q: %w; a team is a group: acme/vision", f.Name(), team, reconcile.ErrNoTeam)
	}
	listed, response, err := all(ctx, func(page ...gitlab.RequestOptionFunc) ([]*gitlab.GroupMember, *gitlab.Response, error) {
		return f.client.Groups.ListAllGroupMembers(path, &gitlab.ListGroupMembersOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}}, page...)
	})
	if err != nil {
		var also []error
		if status(response) == http.StatusNotFound {
			also = append(also, reconcile.ErrNoTeam)
		}
		return nil, f.failed(rest.Call{Doing: "list the members of group " + path, Needs: "the scope read_api and sight of the group"}, response, err, also...)
	}
	var logins []string
	for _, m := range listed {
		if m.State == "active" {
			logins = append(logins, m.Username)
		}
	}
	return logins, nil
}

// group is the full path of a group. A bare name never means a group of strangers, as
// anybody can make one at the top.
func (f *Forge) group(name string) (path string, valid bool) {
	parts := strings.Split(name, "/")
	for _, part := range parts {
		if !named.MatchString(part) {
			return "", false
		}
	}
	if len(parts) > 1 {
		return name, true
	}
	above := strings.Split(f.repo, "/")
	above = above[:len(above)-1]
	for i := len(above); i > 0; i-- {
		if strings.EqualFold(above[i-1], name) {
			return strings.Join(above[:i], "/"), true
		}
	}
	return strings.Join(above, "/") + "/" + name, true
}
