package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// bundle is the scripts of every page, in their order. Each is a file that stands alone.
var bundle = []string{"vendor/idiomorph.js", "pace.js", "live.js", "times.js", "keys.js", "copy.js", "filter.js"}

// sheets are the style sheet of every page: what all share, then what each has for itself.
var sheets = []string{"css/base.css", "css/home.css", "css/admin.css", "css/project.css", "css/api.css", "css/log.css", "css/build.css", "css/artifacts.css"}

// logBundle is the script of the page of a log.
var logBundle = []string{"logtext.js", "loglines.js", "logfolds.js", "logview.js", "logsearch.js", "log.js"}

// singles are served as they are.
var singles = []string{"icon.svg", "icon-good.svg", "icon-bad.svg", "icon-busy.svg", "build.js"}

// asset is a file that pages refer to by a path with its hash, so that a browser may keep it for ever.
type asset struct {
	path    string
	kind    string
	plain   []byte
	zipped  []byte // gzip
	encoded bool   // zipped is smaller
}

var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func readAssets() map[string]asset {
	out := map[string]asset{}
	read := func(name string) []byte {
		text, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err)
		}
		return text
	}
	together := func(name string, parts []string) {
		var all []byte
		for _, part := range parts {
			all = append(append(all, read(part)...), '\n')
		}
		out[name] = newAsset(name, all)
	}
	together("app.js", bundle)
	together("log.js", logBundle)
	together("style.css", sheets)
	for _, name := range singles {
		out[name] = newAsset(name, read(name))
	}
	return out
}

func newAsset(name string, text []byte) asset {
	sum := sha256.Sum256(text)
	ext := path.Ext(name)
	a := asset{path: fmt.Sprintf("/assets/%s.%s%s", strings.TrimSuffix(name, ext), hex.EncodeToString(sum[:6]), ext), kind: kinds[ext], plain: text}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text) // a buffer takes all
	_ = w.Close()
	a.zipped, a.encoded = zipped.Bytes(), zipped.Len() < len(text)
	return a
}

// assetPath is where a browser finds an asset.
func (s *Site) assetPath(name string) (string, error) {
	a, ok := s.assets[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return s.path(a.path), nil
}

// Assets are the routes of what pages refer to. Anybody may have them: they are the same everywhere.
func (s *Site) Assets() (routes []Route) {
	for _, a := range s.assets {
		routes = append(routes, Route{"GET " + a.path, a.serve})
	}
	return routes
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := a.plain
	if a.encoded && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	_, _ = w.Write(body) // to a client that is gone there is nothing to say
}
