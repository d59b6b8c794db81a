// Package forgetest is a forge for tests: an HTTP server that speaks as much of
// Gitea's REST API as Fairlead and its tests use, over real bare Git repositories,
// which it also serves by Git's smart HTTP protocol. Merges are real merges, webhooks
// are signed as Gitea signs them, and where Gitea surprises, so does it: the head of
// a merged pull request is told to be whatever its branch holds by now, lists are
// paged with and without Link headers, and a pull request can be found only by the
// very commit that merged it.
//
//	forge := forgetest.Start(t)
//	forge.AddUser("ann"); forge.AddUser("fairlead-bot")
//	repo, err := forge.AddRepo("acme/models", "ann", "fairlead-bot")
//	number, err := repo.OpenPull("ann", "feature", "main", "Digits 1.2.0", "")
//	commit, err := repo.MergePull(number, "ann", forgetest.Merge)
//
// What it answers was compared with Gitea 1.26.0: the conformance suite of the Gitea
// provider runs against both. It needs git and git-http-backend, and is never part
// of the program.
package forgetest
