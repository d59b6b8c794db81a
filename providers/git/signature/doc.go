// Package signature makes and verifies the signatures of commits and tags, SSH and
// GPG, over the bytes that Git stores. It is a part of package git.
//
// # What is good
//
// A [Verifier] cuts the signature out of a raw object and checks the rest of its bytes.
// Nothing is parsed and written again: what go-git would make of an object need not be
// what was signed. A signature is good only if the object is sound, there is exactly
// one signature, it is understood to its last byte, and its key is one of a signer. All
// else is bad, unknown or none, with words on why; so is a panic of a library.
//
//   - SSH (PROTOCOL.sshsig of OpenSSH): namespace git, SHA-256 or SHA-512. Ed25519,
//     ECDSA, both on security keys, and RSA from 2048 bits. No certificates, no DSA, no
//     ssh-rsa with SHA-1.
//   - GPG (RFC 9580, OpenPGP): one detached signature of binary data, SHA-256 or better.
//     Ed25519, Ed448, ECDSA on the curves of NIST and Brainpool, RSA from 2048 bits.
//     Subkeys count if they are bound to the primary key, in both directions, and are
//     for signing.
//
// # Time
//
// The same bytes get the same answer at any time. When a GPG key expires, and whether
// it is revoked, is part of the answer, for others to judge. Only what a signature
// says of itself is judged here: one made after its key had expired, or before it was
// made, is bad. A key is revoked if it holds any valid revocation, of itself or, for a
// subkey, of its primary key, whatever the reason; one that holds a revocation that
// cannot be checked does not count.
//
// A [Signer] signs as git does with gpg.format=ssh.
package signature
