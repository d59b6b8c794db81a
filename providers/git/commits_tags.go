package git

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	// tagsRef is where a clone notes the tags on the commit that was fetched last: the
	// clone of a remote has no tags of its own.
	tagsRef = "refs/fairlead/tags/"
	// maxTags bounds the tags on one commit.
	maxTags = 64
)

// tagsOn lists the annotated tags on a commit.
func tagsOn(refs *packp.AdvRefs, commit plumbing.Hash) map[string]plumbing.Hash {
	tags := map[string]plumbing.Hash{}
	for _, name := range slices.Sorted(maps.Keys(refs.Peeled)) {
		if tag, ok := strings.CutPrefix(name, "refs/tags/"); ok && refs.Peeled[name] == commit && len(tags) < maxTags {
			tags[tag] = refs.References[name]
		}
	}
	return tags
}

// noteTags makes the refs of the clone name these tags and no other.
func (c *clone) noteTags(tags map[string]plumbing.Hash) error {
	noted := map[string]plumbing.Hash{}
	err := c.eachRef(tagsRef, func(name string, id plumbing.Hash) error {
		noted[name] = id
		return nil
	})
	if err != nil {
		return err
	}
	for name := range noted {
		if _, there := tags[name]; !there {
			err = errors.Join(err, c.stores[0].RemoveReference(plumbing.ReferenceName(tagsRef+name)))
		}
	}
	for name, id := range tags {
		if noted[name] != id {
			err = errors.Join(err, c.note(plumbing.ReferenceName(tagsRef+name), id))
		}
	}
	if err != nil {
		return fmt.Errorf("note the tags in the clone: %w", err)
	}
	return nil
}

// eachRef calls visit with each ref below a prefix, without it.
func (r *repository) eachRef(prefix string, visit func(name string, id plumbing.Hash) error) error {
	refs, err := r.stores[0].IterReferences()
	if err != nil {
		return fmt.Errorf("%w: its refs cannot be read: %w", errUnreadable, err)
	}
	return refs.ForEach(func(ref *plumbing.Reference) error {
		name, ok := strings.CutPrefix(string(ref.Name()), prefix)
		if !ok || ref.Type() != plumbing.HashReference {
			return nil
		}
		return visit(name, ref.Hash())
	})
}

// tagsAt lists the annotated tags on a commit, by name. A tag counts only under the
// name that it has itself: that of another one could have been signed for another end.
func tagsAt(repo *repository, commit plumbing.Hash) ([]reconcile.RawTag, error) {
	found := map[string]reconcile.RawTag{}
	for _, prefix := range []string{"refs/tags/", tagsRef} {
		err := repo.eachRef(prefix, func(name string, id plumbing.Hash) error {
			encoded, err := repo.find(id)
			if err != nil || encoded.Type() != plumbing.TagObject || len(found) >= maxTags {
				return nil // a tag that is not there, or not annotated, vouches for nothing
			}
			raw, err := repo.read(plumbing.TagObject, id, maxMetaObject)
			if err != nil {
				return err
			}
			if bytes.HasPrefix(raw, []byte("object "+commit.String()+"\ntype commit\ntag "+name+"\n")) {
				found[name] = reconcile.RawTag{Name: name, ID: id.String(), Raw: raw}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var tags []reconcile.RawTag
	for _, name := range slices.Sorted(maps.Keys(found)) {
		tags = append(tags, found[name])
	}
	return tags, nil
}

// passedOver tells of what git itself would let stand in for commits.
func passedOver(repo *repository) ([]string, error) {
	var notes []string
	replaced := 0
	err := repo.eachRef("refs/replace/", func(string, plumbing.Hash) error {
		replaced++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if replaced > 0 {
		notes = append(notes, fmt.Sprintf("the repository has %d replace refs, which are passed over: history counts as it is stored", replaced))
	}
	if repo.common == "" {
		return notes, nil // a clone of ours
	}
	switch info, err := os.Stat(filepath.Join(repo.common, "info", "grafts")); {
	case err == nil && info.Size() > 0:
		notes = append(notes, "the repository has a file info/grafts, which is passed over: history counts as it is stored")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return notes, nil
}
