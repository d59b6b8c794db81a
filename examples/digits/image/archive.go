package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// archive is an image in the format of `docker save`: a tar of its layers (tars
// themselves), its configuration, and a manifest that names them.
type archive struct {
	tag string // NAME:VERSION
	id  string // of the image: the hash of its configuration
	tar []byte
}

// content is what an image is made of.
type content struct {
	name, version string
	arch          string
	entrypoint    string // absolute
	ports         []string
	layers        []layer
}

// layer is a set of files that are added together.
type layer []file

// file is a regular file, or a directory where the name ends in a slash.
type file struct {
	name string
	mode int64
	data []byte
}

// nobody is a user without a name or rights; the number is a custom of images
// from scratch.
const nobody = "65532:65532"

// epoch stands for every time in the image: the real ones would make each build
// another image.
var epoch = time.Unix(0, 0).UTC()

// imageConfig is the part of the image configuration that the example needs.
type imageConfig struct {
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Created      time.Time       `json:"created"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
	History      []history       `json:"history"`
}

type containerConfig struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Entrypoint   []string            `json:"Entrypoint"`
	Labels       map[string]string   `json:"Labels"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"` // hashes of the layers
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// manifestEntry names the parts of one image in an archive.
type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func newArchive(c content) (*archive, error) {
	tag := c.name + ":" + c.version
	config := imageConfig{
		Architecture: c.arch, OS: "linux", Created: epoch,
		Config: containerConfig{
			User:         nobody,
			ExposedPorts: map[string]struct{}{},
			Entrypoint:   []string{c.entrypoint},
			Labels: map[string]string{
				"org.opencontainers.image.title":    c.name,
				"org.opencontainers.image.version":  c.version,
				"org.opencontainers.image.licenses": "Apache-2.0",
			},
		},
		RootFS: rootFS{Type: "layers"},
	}
	for _, port := range c.ports {
		config.Config.ExposedPorts[port] = struct{}{}
	}
	var files layer
	manifest := manifestEntry{RepoTags: []string{tag}}
	for _, l := range c.layers {
		text, err := writeTar(l)
		if err != nil {
			return nil, err
		}
		sum := hash(text)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, "sha256:"+sum)
		config.History = append(config.History, history{epoch, "add /" + l[len(l)-1].name})
		manifest.Layers = append(manifest.Layers, sum+"/layer.tar")
		files = append(files, file{sum + "/", 0o755, nil}, file{sum + "/layer.tar", 0o644, text})
	}
	configText, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode the image configuration: %w", err)
	}
	id := hash(configText)
	manifest.Config = id + ".json"
	manifestText, err := json.Marshal([]manifestEntry{manifest})
	if err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}
	files = append(files, file{manifest.Config, 0o644, configText}, file{"manifest.json", 0o644, manifestText})
	whole, err := writeTar(files)
	if err != nil {
		return nil, err
	}
	return &archive{tag: tag, id: "sha256:" + id, tar: whole}, nil
}

func writeTar(files []file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: epoch}
		if strings.HasSuffix(f.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finish the archive: %w", err)
	}
	return out.Bytes(), nil
}

func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
