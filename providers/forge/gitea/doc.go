// Package gitea is Gitea or Forgejo as a reconcile.Forge.
//
// It proves itself by an access token with the scopes read:user, write:repository,
// write:issue and, for teams, read:organization, of an account that may write to the
// repository. Gitea shows who is in a team only to its members and to the owners of
// the organization: the account has to be one of them for rules that name a team.
//
// Where Gitea's answers could mislead who judges a change by them, this package does
// not repeat them:
//
//   - The head that Gitea tells of a merged pull request is what its branch holds by
//     now. What was merged is read from refs/pull/N/head, which stays.
//   - A review is called stale only if the change itself became another one; a rebase
//     leaves it as it is. Review.Commit is the commit that was looked at in any case.
//   - A review is official by the rights that the person had when making it. Gitea
//     tells nobody but administrators of the rights of now.
//   - Only the one commit that merged a pull request leads back to it: of a rebase
//     with several commits the last. The others are found by their number, which says
//     where they came from, not that they hold what was reviewed.
//   - A pull request pushed to refs/for/ (AGit) comes from somebody who need not have
//     the right to write, as one from a fork does, and is told as one.
//
// Remarks on lines have no place beside a commit there. Of the statuses, held is a
// warning, which blocks a merge where the status is required.
package gitea
