package edit

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Pin writes other images into the repo, at every place where one is written as a
// plain text: in models, in steps of pipelines, and in the overlays of all
// environments. pinned is asked for each, and tells what to write instead; false
// leaves it as it is. Images in entries of the registry say what was, and stay.
//
// It returns the new content of the files that differ, by path, and what a person has
// to do: images that are computed, without a digest in what is written. The tree has
// to be one that loads.
func Pin(tree spec.Tree, pinned func(ref string) (string, bool)) (map[string][]byte, []*ByHandError, error) {
	r := &repo{tree: tree, edited: map[string][]byte{}}
	var byHand []*ByHandError
	for _, f := range tree.Files() {
		parse := parserOf(f.Path)
		if _, included := includedFrom(f.Path); parse == nil || included {
			continue
		}
		src, err := r.read(f.Path)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if !bytes.Contains(src, []byte("image")) {
			continue
		}
		top, err := parse(f.Path, src)
		if err != nil {
			return nil, nil, err
		}
		images, computed := imagesIn(top)
		for _, image := range computed {
			byHand = append(byHand, r.imageByHand(image))
		}
		content := pinImages(top, images, pinned)
		if bytes.Equal(content, src) {
			continue
		}
		if _, err := parse(f.Path, content); err != nil {
			return nil, nil, fmt.Errorf("after the edit: %w", err)
		}
		r.edited[f.Path] = content
	}
	return r.edited, byHand, nil
}

// image is one place where an image is written.
type image struct {
	address spec.Address
	at      *block
	is      argument
}

// imagesIn are the images in a file: those written as plain texts, and those that are
// computed.
func imagesIn(top *block) (plain, computed []image) {
	var all []image
	add := func(kind spec.Kind, name string, b *block) {
		if a, there := b.arguments["image"]; there {
			all = append(all, image{spec.Address{Kind: kind, Name: name}, b, a})
		}
	}
	for _, layer := range append(top.labelled("environment"), top) {
		for _, m := range layer.labelled("model") {
			add(spec.KindModel, m.label, m)
		}
		for _, p := range layer.labelled("pipeline") {
			for _, s := range p.labelled("step") {
				add(spec.KindPipeline, p.label, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b image) int { return cmp.Compare(a.is.rng.Start.Byte, b.is.rng.Start.Byte) })
	for _, i := range all {
		switch {
		case i.is.plain:
			plain = append(plain, i)
		case !strings.Contains(i.is.source, "@sha256:"):
			computed = append(computed, i)
		}
	}
	return plain, computed
}

// pinImages is the content of the file with the new images, from the last to the
// first, so that places stay right.
func pinImages(top *block, images []image, pinned func(string) (string, bool)) []byte {
	content := top.src
	for _, i := range slices.Backward(images) {
		if i.is.text == "" { // null
			continue
		}
		ref, ok := pinned(i.is.text)
		if !ok || ref == i.is.text {
			continue
		}
		edited := *i.at
		edited.src = content
		content = edited.splice(i.is.value.Start.Byte, i.is.value.End.Byte, i.at.syntax.quote(ref))
	}
	return top.syntax.tidy(top.src, content)
}

func (r *repo) imageByHand(i image) *ByHandError {
	remedy := "write the image with its digest, NAME@sha256:..., where it comes from"
	if origin := r.originOf(i.is); origin != "" {
		remedy += ": " + i.is.source + " is " + origin
	}
	return &ByHandError{Address: i.address, Argument: "image", Pos: i.at.at(i.is), Expression: i.is.source, Remedy: remedy}
}
