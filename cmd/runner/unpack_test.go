package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// archive makes a tar.zst of headers; a regular file's content is its Linkname.
func archive(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname = h.Linkname, ""
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestUnpackWritesFilesDirectoriesAndLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	files := func(content string) *bytes.Buffer {
		return archive(t,
			tar.Header{Name: "bin/tool", Typeflag: tar.TypeReg, Mode: 0o4755, Linkname: content},
			tar.Header{Name: "bin/alias", Typeflag: tar.TypeSymlink, Linkname: "tool"},
			tar.Header{Name: "odd\nname", Typeflag: tar.TypeReg, Mode: 0o644, Linkname: "x"},
			tar.Header{Name: "empty/", Typeflag: tar.TypeDir, Mode: 0o755},
		)
	}
	for _, content := range []string{"first", "second time"} {
		n, size, err := unpack(files(content), dir)
		if err != nil || n != 3 || size != int64(len(content)+1) {
			t.Fatalf("%d files, %d bytes, %v", n, size, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "bin", "alias")); err != nil || string(text) != content {
			t.Errorf("through the link: %q, %v", text, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "bin", "tool"))
	if err != nil || info.Mode()&os.ModeSetuid != 0 || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestUnpackStaysInItsDirectory(t *testing.T) {
	outside := t.TempDir()
	for name, c := range map[string]struct {
		headers []tar.Header
		want    string
	}{
		"parent":         {[]tar.Header{{Name: "../x", Typeflag: tar.TypeReg, Mode: 0o644}}, "leads out"},
		"absolute":       {[]tar.Header{{Name: outside + "/x", Typeflag: tar.TypeReg, Mode: 0o644}}, "leads out"},
		"absolute link":  {[]tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}}, "leads out"},
		"relative link":  {[]tar.Header{{Name: "a/l", Typeflag: tar.TypeSymlink, Linkname: "../../x"}}, "leads out"},
		"a twisted link": {[]tar.Header{{Name: "a/b/up", Typeflag: tar.TypeSymlink, Linkname: "../.."}, {Name: "twist", Typeflag: tar.TypeSymlink, Linkname: "a/b/up/.."}}, "leads out"},
		"fifo":           {[]tar.Header{{Name: "f", Typeflag: tar.TypeFifo}}, "neither file"},
		"hard link":      {[]tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, "neither file"},
		"device":         {[]tar.Header{{Name: "d", Typeflag: tar.TypeChar}}, "neither file"},
		"file over link": {[]tar.Header{{Name: "evil/x", Typeflag: tar.TypeReg, Mode: 0o644}}, "escapes"},
	} {
		dir := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, "evil")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := unpack(archive(t, c.headers...), dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want …%s…", name, err, c.want)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("something was written outside: %v", left)
	}
}

func TestUnpackTellsOfABrokenArchive(t *testing.T) {
	whole := archive(t, tar.Header{Name: "x", Typeflag: tar.TypeReg, Mode: 0o644, Linkname: strings.Repeat("content ", 1000)})
	short := bytes.NewReader(whole.Bytes()[:whole.Len()-5])
	if _, _, err := unpack(short, t.TempDir()); err == nil {
		t.Error("an archive that breaks off passes")
	}
}
