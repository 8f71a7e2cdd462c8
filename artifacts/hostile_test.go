package artifacts

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestHostileTarsAreRefused(t *testing.T) {
	whole := tarOf(t, text("a", "content"), entry{name: "big", body: noise(1, 1<<20)})
	tests := map[string]struct {
		tar    []byte
		limits Limits
		limit  bool
		want   string
	}{
		"absolute name":          {tar: tarOf(t, text("/etc/passwd", "x")), want: "absolute"},
		"parent directory":       {tar: tarOf(t, text("../x", "x")), want: `".."`},
		"parent in the middle":   {tar: tarOf(t, text("a/../../x", "x")), want: `".."`},
		"parent at the end":      {tar: tarOf(t, text("a/..", "x")), want: `".."`},
		"empty name":             {tar: tarOf(t, text("", "x")), want: "empty"},
		"file as root":           {tar: tarOf(t, text(".", "x")), want: "root"},
		"long name":              {tar: tarOf(t, text(strings.Repeat("a/", 2100)+"x", "x")), want: "4201 bytes"},
		"long part of a name":    {tar: tarOf(t, text(strings.Repeat("a", 300), "x")), want: "300 bytes"},
		"device":                 {tar: tarOf(t, entry{name: "sda", kind: tar.TypeBlock}), want: "type"},
		"character device":       {tar: tarOf(t, entry{name: "mem", kind: tar.TypeChar}), want: "type"},
		"fifo":                   {tar: tarOf(t, entry{name: "fifo", kind: tar.TypeFifo}), want: "type"},
		"hard link":              {tar: tarOf(t, entry{name: "l", kind: tar.TypeLink, link: "/etc/shadow"}), want: "type"},
		"file below a file":      {tar: tarOf(t, text("a", "x"), text("a-b", "x"), text("a/b", "x")), want: "not a directory"},
		"file below a link":      {tar: tarOf(t, entry{name: "a/l", kind: tar.TypeSymlink, link: "b"}, text("a/l/deep/x", "x")), want: "not a directory"},
		"link below a link":      {tar: tarOf(t, entry{name: "l", kind: tar.TypeSymlink, link: "b"}, entry{name: "l/m", kind: tar.TypeSymlink, link: "x"}), want: "not a directory"},
		"not a tar":              {tar: noise(1, 4096), want: "malformed"},
		"cut in a header":        {tar: whole[:300], want: "ends in the middle"},
		"cut in a small file":    {tar: whole[:515], want: "ends in the middle"},
		"cut in a large file":    {tar: whole[:500_000], want: "ends in the middle"},
		"too many files":         {tar: tarOf(t, text("a", ""), text("a", ""), text("a", "")), limits: Limits{Files: 2}, limit: true, want: "more than 2 files"},
		"too many bytes":         {tar: tarOf(t, text("a", "12345"), text("b", "67890")), limits: Limits{Bytes: 10}, limit: true, want: "larger than 10 bytes"},
		"too many names":         {tar: tarOf(t, entry{name: strings.Repeat("n", 200), kind: tar.TypeDir}), limits: Limits{Bytes: 100}, limit: true, want: "larger than 100 bytes"},
		"a hole of a tebibyte":   {tar: sparse(t), limit: true, want: "larger than"},
		"global header of a tar": {tar: pax(t), want: "type"},
	}
	s := newStore(t)
	put(t, s, "set", text("before", "stands"))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.PutTar(t.Context(), "set", SetMeta{}, bytes.NewReader(test.tar), test.limits)
			var input *InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrLimit) != test.limit {
				t.Fatalf("got %v, want an InputError with %q", err, test.want)
			}
		})
	}
	if got := content(t, s, "set", "before"); string(got) != "stands" {
		t.Errorf("the set is now %q", got)
	}
	collect(t, s)
	if st := stats(t, s); st.Chunks != 1 {
		t.Errorf("refused tars left %d chunks", st.Chunks-1)
	}
	clean(t, s)
}

// sparse is a tar of a few KiB whose one file claims a tebibyte.
func sparse(t *testing.T) []byte {
	t.Helper()
	b := tarOf(t, entry{name: "./PaxHeaders/x", kind: tar.TypeReg})
	hdr := b[:512] // of which all but type and size is used
	records := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n23 GNU.sparse.name=foo\n37 GNU.sparse.realsize=1099511627776\n"
	body := append([]byte("1\n0\n0\n"), make([]byte, 506)...)
	out := make([]byte, 0, 4096)
	out = append(out, rawHeader(hdr, 'x', len(records))...)
	out = append(append(out, records...), make([]byte, 512-len(records))...)
	out = append(out, rawHeader(hdr, '0', len(body))...)
	out = append(out, body...)
	return append(out, make([]byte, 1024)...)
}

// rawHeader is hdr with another type and size, and a checksum that is right.
func rawHeader(hdr []byte, kind byte, size int) []byte {
	h := bytes.Clone(hdr)
	copy(h[124:136], []byte(strings.Repeat("0", 11)+"\x00"))
	for i, v := 10, size; v > 0; i, v = i-1, v/8 {
		h[124+i] = byte('0' + v%8)
	}
	h[156] = kind
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	for i := 5; i >= 0; i, sum = i-1, sum/8 {
		h[148+i] = byte('0' + sum%8)
	}
	h[154], h[155] = 0, ' '
	return h
}

func pax(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{Name: "g", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestTroubleOfReadingIsNotTheJobs(t *testing.T) {
	s := newStore(t)
	if _, err := s.PutTar(t.Context(), "set", SetMeta{Name: strings.Repeat("n", 2000)}, nil, Limits{}); err == nil {
		t.Error("a name of 2000 bytes was taken")
	}
	broken := errors.New("disk on fire")
	r := io.MultiReader(bytes.NewReader(tarOf(t, text("a", "x"))[:700]), iotest.ErrReader(broken))
	_, err := s.PutTar(t.Context(), "set", SetMeta{}, r, Limits{})
	var input *InputError
	if !errors.Is(err, broken) || errors.As(err, &input) {
		t.Fatalf("got %v", err)
	}
}

func TestLinksThatLeaveAreLeftOut(t *testing.T) {
	s := newStore(t)
	link := func(name, target string) entry { return entry{name: name, kind: tar.TypeSymlink, link: target} }
	kept := []entry{link("a", "b"), link("d/up", "../b"), link("d/e/up", "../../d/"), link("self", "."), link("dir", "d/e/"), link("d/dots", "./..//b")}
	dropped := []entry{link("abs", "/usr/bin/python3"), link("up", ".."), link("d/two", "../../x"), link("twist", "d/e/up/../../.."), link("none", "d/../../x")}
	set := put(t, s, "set", append(append([]entry{text("b", "x")}, kept...), dropped...)...)
	if set.Count != 1+len(kept) || len(set.Notes) != len(dropped) || !strings.Contains(set.Notes[0], "/usr/bin/python3") {
		t.Fatalf("%d entries, notes %q", set.Count, set.Notes)
	}
	var many []entry
	for range 3 * maxNotes {
		many = append(many, link("x", "/y"))
	}
	if set = put(t, s, "many", many...); len(set.Notes) != maxNotes+1 {
		t.Fatalf("%d notes", len(set.Notes))
	}
}

// TestNoLinkLeaves follows links on a real file system, through each other.
func TestNoLinkLeaves(t *testing.T) {
	targets := []string{"..", "../..", "x/y/../../..", "l/../..", "l/..", "./../l", "l/l", ".", "x/y", "../l/../../..", "m/../..", "../../../.."}
	for _, a := range targets {
		for _, b := range targets {
			for _, dirs := range [][2]string{{"l", "m"}, {"x/y/l", "m"}, {"x/l", "x/y/m"}} {
				ok := linkProblem(dirs[0], a) == "" && linkProblem(dirs[1], b) == ""
				if ok && leaves(dirs[0], a, dirs[1], b) {
					t.Errorf("%s -> %s with %s -> %s leaves the set", dirs[0], a, dirs[1], b)
				}
			}
		}
	}
}

// leaves resolves each of two links beneath a root, component by component as a kernel does.
func leaves(name1, target1, name2, target2 string) bool {
	links := map[string]string{name1: target1, name2: target2}
	for name := range links {
		var at []string
		todo := strings.Split(name, "/")
		for steps := 0; len(todo) > 0 && steps < 200; steps++ {
			part := todo[0]
			todo = todo[1:]
			switch part {
			case "", ".":
				continue
			case "..":
				if len(at) == 0 {
					return true
				}
				at = at[:len(at)-1]
				continue
			}
			here := filepath.Join(append(append([]string{}, at...), part)...)
			if target, ok := links[here]; ok {
				todo = append(strings.Split(target, "/"), todo...)
				continue
			}
			at = append(at, part)
		}
	}
	return false
}

func TestModesAndTimesAreTamed(t *testing.T) {
	s := newStore(t)
	put(t, s, "set", entry{name: "suid", mode: 0o7777}, entry{name: "dir", kind: tar.TypeDir, mode: 0o1777})
	set, err := s.Set("set")
	if err != nil {
		t.Fatal(err)
	}
	if set.Files[0].Mode != fs.ModeDir|0o777 || set.Files[1].Mode != 0o777 || set.Files[1].ModTime.Unix() != 0 {
		t.Fatalf("%+v", set.Files)
	}
}

func FuzzPutTar(f *testing.F) {
	f.Add(tarOf(f, text("a", "x"), text("b\n/c", "y"), entry{name: "l", kind: tar.TypeSymlink, link: "a"}))
	f.Add(tarOf(f, text("../a", "x")))
	f.Add(tarOf(f, entry{name: "big", body: prose(1, minChunkBytes+100)}, entry{name: "d/", kind: tar.TypeDir}, text("d/e", "")))
	f.Add(tarOf(f, text("a", "x"), text("a/b", "x")))
	f.Add([]byte{})
	s := newStore(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := s.PutTar(t.Context(), "fuzz", SetMeta{}, bytes.NewReader(b), Limits{Bytes: 1 << 20, Files: 100})
		var input *InputError
		if err != nil {
			if !errors.As(err, &input) {
				t.Fatalf("an error that blames the store: %v", err)
			}
			return
		}
		full, err := s.Set("fuzz")
		if err != nil || len(full.Files) != set.Count || set.Bytes > 1<<20 {
			t.Fatalf("%+v, %v", set, err)
		}
		for _, file := range full.Files {
			if c, problem := cleanName(file.Path); problem != "" || c != file.Path || !filepath.IsLocal(file.Path) {
				t.Fatalf("path %q: %s", file.Path, problem)
			}
		}
		if err := errors.Join(s.WriteZip(t.Context(), []NamedSet{{ID: "fuzz"}}, io.Discard), s.WriteTarZst(t.Context(), []NamedSet{{ID: "fuzz"}}, io.Discard)); err != nil {
			t.Fatal(err)
		}
		collect(t, s)
		clean(t, s)
	})
}
