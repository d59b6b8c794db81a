// Package gitlab is GitLab as a reconcile.Forge: gitlab.com and servers of one's own,
// from version 15 on. A pull request is a merge request here.
//
// It proves itself by a token with the scope api: of a project, a group, or a person,
// with the role Developer or more.
//
// # What an approval was of
//
// GitLab does not say which commit somebody approved. It says when, and when each
// version of a merge request came to be; so the commit of an approval is the head of
// the newest version that was there before it. Both times are of GitLab's clock. A
// push becomes a version a moment after it happened, so an approval in between counts
// for the older head. Where either time is missing, and there has been more than one
// version, the commit is empty, and rules that ask for a commit refuse it. This needs
// no setting of the project: not the one that removes approvals when somebody pushes,
// which not every edition has, and which takes effect a moment later as well.
package gitlab
