package push

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// Bounds on a tar, whatever its size.
const (
	maxEntries = 20_000
	maxLayers  = 127 // as engines have it
	maxJSON    = 8 << 20
	maxLinks   = 4
)

// InputError tells that a tar is not one that an engine writes of an image.
type InputError struct{ Message string }

func (e *InputError) Error() string { return "the image that the builder handed out: " + e.Message }

func bad(format string, args ...any) error { return &InputError{fmt.Sprintf(format, args...)} }

// part is where one file of the tar lies in it, or the name that it stands for.
type part struct {
	at, size int64
	link     string
}

// archive is a tar of which any file can be read.
type archive struct {
	file  *os.File
	parts map[string]part
}

// openArchive reads the tar's headers. The caller closes the file.
func openArchive(file *os.File) (*archive, error) {
	a := &archive{file: file, parts: map[string]part{}}
	r := tar.NewReader(file)
	for n := 0; ; n++ {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return a, nil
		case err != nil:
			return nil, bad("its tar cannot be read: %v", err)
		case n == maxEntries:
			return nil, bad("it has more than %d entries", maxEntries)
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := file.Seek(0, io.SeekCurrent) // the reader takes whole blocks, and none ahead
			if err != nil {
				return nil, fmt.Errorf("reading the image: %w", err)
			}
			a.parts[name] = part{at: at, size: h.Size}
		case tar.TypeSymlink:
			a.parts[name] = part{link: path.Join(path.Dir(name), h.Linkname)}
		case tar.TypeLink:
			a.parts[name] = part{link: path.Clean(h.Linkname)}
		}
	}
}

// open reads one file of the tar.
func (a *archive) open(name string) (*io.SectionReader, error) {
	at := path.Clean(name)
	for range maxLinks {
		p, ok := a.parts[at]
		if !ok {
			return nil, bad("it lacks %q", brief(name))
		}
		if p.link == "" {
			return io.NewSectionReader(a.file, p.at, p.size), nil
		}
		at = p.link
	}
	return nil, bad("%q is a link to a link to a link", brief(name))
}

// json reads one file of the tar into v.
func (a *archive) json(name string, v any) error {
	r, err := a.open(name)
	if err != nil {
		return err
	}
	if r.Size() > maxJSON {
		return bad("%q has %d bytes, expected at most %d", brief(name), r.Size(), maxJSON)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return bad("%q is no JSON of its kind: %v", brief(name), err)
	}
	return nil
}

// listed is the image that the tar lists, of which there must be one.
type listed struct {
	Config string
	Layers []string
}

func (a *archive) listed() (listed, error) {
	var all []listed
	if err := a.json("manifest.json", &all); err != nil {
		return listed{}, err
	}
	if len(all) != 1 {
		return listed{}, bad("it holds %d images, expected one", len(all))
	}
	if n := len(all[0].Layers); n > maxLayers {
		return listed{}, bad("it has %d layers, and an image may have %d", n, maxLayers)
	}
	return all[0], nil
}

func brief(name string) string { return name[:min(len(name), 100)] }
