package push

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is an image that was read and checked. Its compressed layers are files of the directory that Read was given.
type Image struct {
	Digest string // of its manifest
	Size   int64  // of all that is pushed, in bytes
	Layers int

	config, manifest []byte
	layers           map[v1.Hash]*layer
}

// Read reads the tar at path, puts its layers, compressed, into dir, and returns the image. What is younger than when gets
// that time. Layers with more than limit bytes in all are refused. An *InputError tells of a tar that cannot be pushed.
func Read(ctx context.Context, path, dir string, when time.Time, limit int64) (*Image, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	a, err := openArchive(file)
	if err != nil {
		return nil, err
	}
	list, err := a.listed()
	if err != nil {
		return nil, err
	}
	var config map[string]json.RawMessage
	if err := a.json(list.Config, &config); err != nil {
		return nil, err
	}
	var fs struct {
		DiffIDs []v1.Hash `json:"diff_ids"`
	}
	if err := json.Unmarshal(config["rootfs"], &fs); err != nil || len(fs.DiffIDs) != len(list.Layers) {
		return nil, bad("its configuration tells of %d layers, and it has %d", len(fs.DiffIDs), len(list.Layers))
	}
	i := &Image{layers: map[v1.Hash]*layer{}, Layers: len(list.Layers)}
	var layers []*layer
	for n, name := range list.Layers {
		r, err := a.open(name)
		if err != nil {
			return nil, err
		}
		l, err := makeLayer(ctx, r, filepath.Join(dir, fmt.Sprintf("layer-%d.tgz", n)), fs.DiffIDs[n], when, &limit)
		if err != nil {
			return nil, err
		}
		layers, i.layers[l.digest] = append(layers, l), l
	}
	return i, i.describe(config, layers, when)
}

// describe makes configuration and manifest.
func (i *Image) describe(config map[string]json.RawMessage, layers []*layer, when time.Time) (err error) {
	rootfs := struct {
		Type    string    `json:"type"`
		DiffIDs []v1.Hash `json:"diff_ids"`
	}{"layers", []v1.Hash{}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.DockerManifestSchema2, Layers: []v1.Descriptor{}}
	for _, l := range layers {
		rootfs.DiffIDs = append(rootfs.DiffIDs, l.diffID)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.DockerLayer, Size: l.size, Digest: l.digest})
		i.Size += l.size
	}
	if config["rootfs"], err = json.Marshal(rootfs); err != nil {
		return err
	}
	if err := age(config, when); err != nil {
		return err
	}
	if i.config, err = json.Marshal(config); err != nil {
		return err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(i.config))
	if err != nil {
		return err
	}
	m.Config = v1.Descriptor{MediaType: types.DockerConfigJSON, Size: size, Digest: digest}
	if i.manifest, err = json.Marshal(m); err != nil {
		return err
	}
	digest, manifest, err := v1.SHA256(bytes.NewReader(i.manifest))
	i.Digest, i.Size = digest.String(), i.Size+size+manifest
	return err
}

// age gives a configuration and its history the time of what was built.
func age(config map[string]json.RawMessage, when time.Time) error {
	if when.IsZero() {
		return nil
	}
	at := when.UTC().Format(time.RFC3339)
	younger := func(text json.RawMessage) bool {
		var t time.Time
		return json.Unmarshal(text, &t) != nil || t.After(when)
	}
	stamp, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if younger(config["created"]) {
		config["created"] = stamp
	}
	settleCache(config, at)
	var history []map[string]json.RawMessage
	if config["history"] == nil {
		return nil
	}
	if err := json.Unmarshal(config["history"], &history); err != nil {
		return bad("its history is none: %v", err)
	}
	for _, h := range history {
		if h != nil && younger(h["created"]) {
			h["created"] = stamp
		}
	}
	config["history"], err = json.Marshal(history)
	return err
}

// core is an Image as the client of registries wants it.
type core struct{ *Image }

func (c core) RawConfigFile() ([]byte, error)      { return c.config, nil }
func (c core) RawManifest() ([]byte, error)        { return c.manifest, nil }
func (c core) MediaType() (types.MediaType, error) { return types.DockerManifestSchema2, nil }
func (c core) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := c.layers[h]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

func (i *Image) pushable() (v1.Image, error) { return partial.CompressedToImage(core{i}) }
