// Package signature makes and verifies the signatures of commits and tags, SSH and
// GPG, over the bytes that Git stores.
package signature
