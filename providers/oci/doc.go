// Package oci keeps files by the digest of what is in them: it implements
// reconcile.Artifacts over an OCI image layout on the host and over OCI registries.
//
// What lies below Options.Dir:
//
//	layout/             an OCI image layout, that other OCI tools read
//	  oci-layout          its version
//	  index.json          published models and what is attached to them, by NAME:VERSION
//	  blobs/sha256/HEX    everything, mode 0444, modification time 2000-01-01
//	checkout/HEX/       the files of one artifact, for read-only mounts
//	roots/HEX           one file per manifest that was asked for: its time is the last
//	                    use; a lock on it says that it is in use now
//	work/               what is being written
//	tampered/           checkouts that did not match their digest any more
//	lock, gate, index.lock
//
// # Artifacts
//
// Files become an OCI image manifest of the artifact type TypeContent with an empty
// config and one layer per file, named by ModelPack's annotation
// org.cncf.model.filepath. Very many files become one tar. The manifest holds no time
// and no owner, so equal files have an equal digest. A published model is a second
// manifest, of the type that ModelPack asks for, over the same layers.
//
// # What keeps it safe
//
// A blob gets its name when it is complete: it is written to work/, synced, and
// renamed. Whoever stores holds the store's lock shared, for the renames only;
// Collect holds it alone. Whoever reads holds a lock on the root, which Collect
// respects. All locks are the kernel's (flock): they hold between processes and end
// with them, so a crash leaves nothing but files below work/, which the next Collect
// removes.
//
// Nobody writes to a blob after it has its name, and its modification time is always
// the same: another time or size means that somebody else wrote to it, and it is
// compared with its digest again. That is cheap enough for every call. A write that
// also sets the time back is found by Checkout, the first time in each process, and
// by Open, Publish and a push, which always read everything. What does not match is
// never handed out; storing or fetching the same content again replaces it.
package oci
