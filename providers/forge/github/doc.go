// Package github is GitHub as a reconcile.Forge: github.com, GitHub Enterprise Cloud
// with its own address, and GitHub Enterprise Server.
//
// It proves itself by a token (classic: repo and read:org; fine-grained: Contents read,
// Pull requests and Commit statuses read and write, of the organisation Members read),
// or as a GitHub App (the same rights, and Checks read and write), which gets tokens of
// an hour with a key of its own. An App shows statuses as check runs, with annotations
// at the lines; a token can make plain commit statuses only.
//
// GitHub says the commit of each review. That a reviewer may write is asked for each
// person, since author_association tells of a membership, not of a right.
package github
