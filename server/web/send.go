package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// leastZipped is from how many bytes on a page is compressed.
const leastZipped = 1 << 10

// zippers are used again, since each holds more than most pages are long.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return z
}}

// sendHTML sends a page, compressed where the browser takes that: pages of builds are tables and drawings, which become a tenth. There
// is no secret on a page whose length could tell of it: forms are guarded by where they come from, not by a token.
//
// How long it took to make is told, too (Server Timing, W3C): a page that is live waits the longer the busier we are.
func sendHTML(w http.ResponseWriter, v *visit, status int, page []byte) {
	page = withoutTurns(page)
	h := w.Header()
	h.Set("Server-Timing", fmt.Sprintf("page;dur=%.1f", time.Since(v.began).Seconds()*1000))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", Policy)
	h.Add("Vary", "Accept-Encoding")
	if len(page) < leastZipped || !strings.Contains(v.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(page) // to a client that is gone there is nothing to say
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(w)
	_, _ = z.Write(page)
	_ = z.Close()
}

// turns are the characters that turn the direction of the text around them, by which a title, a test's name or a file could have a
// sentence of ours read as another one.
var turns = [][]byte{
	[]byte("\u202a"), []byte("\u202b"), []byte("\u202c"), []byte("\u202d"), []byte("\u202e"),
	[]byte("\u2066"), []byte("\u2067"), []byte("\u2068"), []byte("\u2069"),
}

// withoutTurns leaves them out of a page, as terminals are shown none. Letters that are written from the right keep their direction.
func withoutTurns(page []byte) []byte {
	for _, turn := range turns {
		if bytes.Contains(page, turn) {
			page = bytes.ReplaceAll(page, turn, nil)
		}
	}
	return page
}
