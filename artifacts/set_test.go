package artifacts

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// randomTree makes a tree of files of all sizes that matter, duplicates included, and what it must come out as.
func randomTree(seed uint64) ([]entry, map[string]entry) {
	r := rand.New(rand.NewPCG(seed, 7))
	sizes := []int{0, 1, 100, 5000, smallFile - 1, smallFile, smallFile + 1, defaultChunkBytes - 1, defaultChunkBytes, defaultChunkBytes + 1, 2*defaultChunkBytes + 12345}
	entries := []entry{{name: "./", kind: tar.TypeDir, mode: 0o755}}
	want := map[string]entry{}
	for i := range 80 {
		dir := fmt.Sprintf("d%d", r.IntN(5))
		e := entry{name: fmt.Sprintf("./%s/f%d", dir, i), mode: []int64{0o644, 0o755, 0o600, 0o4755}[r.IntN(4)], time: time.Unix(r.Int64N(2e9)+1, 0)}
		size := sizes[min(r.IntN(len(sizes)*3), r.IntN(len(sizes)))]
		switch r.IntN(8) {
		case 0:
			e.kind, e.link = tar.TypeSymlink, "../d1/f1"
		case 1:
			e.name = fmt.Sprintf("%s/line\nbreak \xff\\ ü %d", dir, i)
			e.body = prose(uint64(i), size)
		case 2:
			e.name = entries[len(entries)-1].name // once more, with other content
			e.body = noise(seed+uint64(i), 10)
			if entries[len(entries)-1].kind != 0 {
				e.name += "x"
			}
		case 3:
			e.name, e.kind = dir+"/empty/", tar.TypeDir
		default:
			e.body = noise(seed+uint64(i%17), size)
		}
		entries = append(entries, e)
		path, _ := cleanName(e.name)
		want[path] = e
	}
	return entries, want
}

func TestSetsComeOutAsTheyWentIn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for seed := range turns[uint64](1, 3) {
		id := fmt.Sprint("set", seed)
		entries, want := randomTree(seed)
		made := put(t, s, id, entries...)
		set, err := s.Set(id)
		if err != nil {
			t.Fatal(err)
		}
		if set.Name != id+"-name" || set.Count != len(want) || made.Count != len(want) || len(set.Files) != len(want) || set.Bytes != made.Bytes {
			t.Fatalf("set has %d of %d files, %d bytes; put said %d and %d", len(set.Files), len(want), set.Bytes, made.Count, made.Bytes)
		}
		for i, path := range slices.Sorted(maps.Keys(want)) {
			compareFile(t, s, id, set.Files[i], path, want[path])
		}
		compareZip(t, s, id, want)
		compareTar(t, s, id, want)
	}
	clean(t, s)
}

func compareFile(t *testing.T, s *Store, id string, f File, path string, want entry) {
	t.Helper()
	if f.Path != path || f.Mode.Perm() != fs.FileMode(want.mode&0o777) || f.Link != want.link {
		t.Errorf("%q is %+v, want %q with mode %o and link %q", path, f, path, want.mode, want.link)
	}
	if !want.time.IsZero() && !f.ModTime.Equal(want.time) {
		t.Errorf("%q is of %v, want %v", path, f.ModTime, want.time)
	}
	if want.kind != 0 {
		if _, _, err := s.OpenFile(t.Context(), id, path); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("opening %q, no file: %v", path, err)
		}
		return
	}
	sum := sha256.Sum256(want.body)
	if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(want.body)) {
		t.Errorf("%q has hash %s and %d bytes", path, f.SHA256, f.Size)
	}
	if got := content(t, s, id, path); !bytes.Equal(got, want.body) {
		t.Errorf("%q has other content", path)
	}
}

func compareZip(t *testing.T, s *Store, id string, want map[string]entry) {
	t.Helper()
	var buf bytes.Buffer
	if err := s.WriteZip(t.Context(), []NamedSet{{Prefix: "job/one", ID: id}}, &buf); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(want) {
		t.Fatalf("zip has %d entries, want %d", len(z.File), len(want))
	}
	for _, f := range z.File {
		path, problem := cleanName(f.Name)
		e, ok := want[path[len("job/one/"):]]
		if !ok || problem != "" {
			t.Fatalf("zip has an entry %q", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, r)
		if !bytes.Equal(body, append(e.body, e.link...)) || f.Mode().IsRegular() != (e.kind == 0) {
			t.Errorf("zip entry %q differs", f.Name)
		}
	}
}

func compareTar(t *testing.T, s *Store, id string, want map[string]entry) {
	t.Helper()
	var buf bytes.Buffer
	if err := s.WriteTarZst(t.Context(), []NamedSet{{ID: id}}, &buf); err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(&buf)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	tr := tar.NewReader(dec)
	n := 0
	for ; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path, _ := cleanName(h.Name)
		e, ok := want[path]
		body, err := io.ReadAll(tr)
		if !ok || err != nil || !bytes.Equal(body, e.body) || h.Linkname != e.link {
			t.Errorf("tar entry %q differs (%v)", h.Name, err)
		}
	}
	if n != len(want) {
		t.Errorf("tar has %d entries, want %d", n, len(want))
	}
}

func TestFileReaderSeeks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	body := noise(1, 3*defaultChunkBytes+99)
	put(t, s, "set", text("a", "small one before"), entry{name: "big", body: body}, text("b", "small"), text("c", "files in one chunk"))
	r, f, err := s.OpenFile(t.Context(), "set", "big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, at := range []int64{0, 1, defaultChunkBytes - 1, defaultChunkBytes, f.Size - 1, f.Size, f.Size + 5} {
		if _, err := r.(io.Seeker).Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(r, 300))
		if want := body[min(at, f.Size):min(at+300, f.Size)]; err != nil || !bytes.Equal(got, want) {
			t.Fatalf("at %d: %d bytes, %v; want %d", at, len(got), err, len(want))
		}
	}
	if end, err := r.(io.Seeker).Seek(-1, io.SeekEnd); err != nil || end != f.Size-1 {
		t.Fatalf("from the end: %d, %v", end, err)
	}
	if _, err := r.(io.Seeker).Seek(-1, io.SeekStart); err == nil {
		t.Fatal("sought to before the beginning")
	}
	if got := content(t, s, "set", "c"); string(got) != "files in one chunk" {
		t.Fatalf("c is %q", got)
	}
}

func TestSeveralSetsInOneArchive(t *testing.T) {
	s := newStore(t)
	put(t, s, "one", text("f", "1"))
	put(t, s, "two", text("f", "2"))
	var buf bytes.Buffer
	if err := s.WriteZip(t.Context(), []NamedSet{{"a", "one"}, {"b/c", "two"}}, &buf); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil || len(z.File) != 2 || z.File[0].Name != "a/f" || z.File[1].Name != "b/c/f" {
		t.Fatalf("%v, %v", z.File, err)
	}
	for _, bad := range [][]NamedSet{{{"../a", "one"}}, {{"/a", "one"}}, {{"a", "one"}, {"a/", "two"}}, {{"a", "one"}, {"b", "three"}}} {
		var out bytes.Buffer
		if err := s.WriteTarZst(t.Context(), bad, &out); err == nil || out.Len() > 0 {
			t.Errorf("%v: %v after %d bytes", bad, err, out.Len())
		}
	}
}

func TestSetReplacesTheFormerOneWhole(t *testing.T) {
	s := newStore(t)
	first := noise(1, 5<<20)
	put(t, s, "job", entry{name: "out", body: first}, text("only-first", "x"))
	r, _, err := s.OpenFile(t.Context(), "job", "out")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutTar(t.Context(), "job", SetMeta{}, bytes.NewReader(tarOf(t, entry{name: "out", body: first})[:1<<20]), Limits{}); err == nil {
		t.Fatal("half a tar was taken")
	}
	if got := content(t, s, "job", "only-first"); string(got) != "x" {
		t.Fatal("a failed put changed the set")
	}
	put(t, s, "job", text("out", "second"))
	if _, _, err := s.OpenFile(t.Context(), "job", "only-first"); !gone(err) {
		t.Fatalf("file of the former set: %v", err)
	}
	collect(t, s)
	if got := readAll(t, r); !bytes.Equal(got, first) {
		t.Fatal("the reader of the former set lost it")
	}
	if freed := collect(t, s); freed.Sets != 1 || freed.Bytes < 5<<20 {
		t.Fatalf("freed %+v", freed)
	}
	if got := content(t, s, "job", "out"); string(got) != "second" {
		t.Fatalf("out is %q", got)
	}
	if st := stats(t, s); st.Chunks != 1 || st.Sets != 1 {
		t.Fatalf("%+v", st)
	}
	clean(t, s)
}

func TestSameContentIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	big := noise(1, 4<<20)
	var small []entry
	for i := range 400 {
		small = append(small, entry{name: fmt.Sprint("small/", i), body: noise(uint64(1000+i), 3000)})
	}
	put(t, s, "one", append(small, entry{name: "big", body: big}, entry{name: "copy", body: big})...)
	before := stats(t, s)
	if before.ChunkStored > 4<<20+400*3000+1000 {
		t.Errorf("stored %d bytes for a file and its copy", before.ChunkStored)
	}
	put(t, s, "two", append(small, entry{name: "big", body: big})...)
	if after := stats(t, s); after.ChunkStored != before.ChunkStored {
		t.Errorf("the same set again took %d bytes", after.ChunkStored-before.ChunkStored)
	}
	small[200].body = []byte("one of many changed")
	put(t, s, "three", append(small, entry{name: "big", body: big})...)
	after := stats(t, s)
	if grown := after.ChunkStored - before.ChunkStored; grown > 1<<20 {
		t.Errorf("one small file changed, %d bytes more are stored", grown)
	}
	if after.Sets != 3 || after.SetBytes <= 2*after.ChunkStored {
		t.Errorf("%+v", after)
	}
	clean(t, s)
}

func TestUnknownSetAndFile(t *testing.T) {
	s := newStore(t)
	if _, err := s.Set("nope"); !gone(err) {
		t.Error(err)
	}
	if _, _, err := s.OpenFile(t.Context(), "nope", "x"); !gone(err) {
		t.Error(err)
	}
	if err := s.RemoveSet(t.Context(), "nope"); err != nil {
		t.Error(err)
	}
	empty := put(t, s, "empty")
	if set, err := s.Set("empty"); err != nil || len(set.Files) != 0 || empty.Count != 0 {
		t.Errorf("empty set: %+v, %v", set, err)
	}
	if _, _, err := s.OpenFile(t.Context(), "empty", "x"); !gone(err) {
		t.Error(err)
	}
	clean(t, s)
}

func TestListings(t *testing.T) {
	s := newStore(t)
	for i := range 7 {
		put(t, s, fmt.Sprint("set", i), text("f", fmt.Sprint(i)))
		appendLog(t, s, fmt.Sprint("log", i), 1, []byte("x"))
	}
	var ids []string
	for cursor := ""; ; {
		page, next, err := s.Sets(cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range page {
			ids = append(ids, set.ID)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if want := []string{"set0", "set1", "set2", "set3", "set4", "set5", "set6"}; !slices.Equal(ids, want) {
		t.Errorf("sets are %q", ids)
	}
	logs, next, err := s.Logs("log4", 0)
	if err != nil || next != "" || len(logs) != 2 || logs[0].ID != "log5" || logs[0].Bytes != 1 {
		t.Errorf("logs are %+v, next %q, %v", logs, next, err)
	}
}
