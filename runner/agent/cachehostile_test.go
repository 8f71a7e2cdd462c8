//go:build linux

package agent

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpacked restores an archive into a source directory of its own, whose cache is deps, beside a directory that nothing
// may be written to.
func unpacked(t *testing.T, archive []byte) (src string, u *cacheUnpacker, err error) {
	t.Helper()
	top := t.TempDir()
	src = filepath.Join(top, "src")
	for _, dir := range []string{src, filepath.Join(top, "home")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	plan := &cachePlan{roots: cacheRoots(src, filepath.Join(top, "home"))}
	if err := plan.place("deps/**/*"); err != nil {
		t.Fatal(err)
	}
	u = &cacheUnpacker{ctx: t.Context(), plan: plan, say: func(string, ...any) {}, budget: int64(len(archive))}
	err = u.run(bytes.NewReader(archive))
	return src, u, err
}

func TestACacheHasNoSetuidBits(t *testing.T) {
	src, _, err := unpacked(t, tarOf(t, tar.Header{Name: "source/deps/tool", Mode: 0o7755}, tar.Header{Typeflag: tar.TypeDir, Name: "source/deps/dir/", Mode: 0o7777}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tool", "dir"} {
		info, err := os.Stat(filepath.Join(src, "deps", name))
		if err != nil || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
	}
}

// TestACacheThatClaimsMoreThanItHas is a file of a tebibyte in an archive of two KiB: a hole, as GNU's tar writes one.
func TestACacheThatClaimsMoreThanItHas(t *testing.T) {
	var b bytes.Buffer
	hdr := tarOf(t, tar.Header{Name: "source/deps/hole"})[1024:1536] // behind its record of times
	records := "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n36 GNU.sparse.name=source/deps/hole\n37 GNU.sparse.realsize=1099511627776\n"
	b.Write(sized(hdr, 'x', len(records)))
	b.WriteString(records + strings.Repeat("\x00", 512-len(records)))
	b.Write(sized(hdr, '0', 512))
	b.WriteString("1\n0\n0\n" + strings.Repeat("\x00", 506+1024))
	if h, err := tar.NewReader(bytes.NewReader(b.Bytes())).Next(); err != nil || h.Size != 1<<40 {
		t.Fatalf("the archive is not what this test is about: %+v, %v", h, err)
	}
	src, _, err := unpacked(t, b.Bytes())
	if !errors.Is(err, errBudget) {
		t.Errorf("got %v, want that it is larger than itself", err)
	}
	if _, err := os.Stat(filepath.Join(src, "deps", "hole")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made of it: %v", err)
	}
}

// sized is a tar's header with another type and size, and a checksum that is right.
func sized(hdr []byte, kind byte, size int) []byte {
	h := bytes.Clone(hdr)
	for i, v := 134, size; i >= 124; i, v = i-1, v/8 {
		h[i] = byte('0' + v%8)
	}
	h[156] = kind
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	for i := 153; i >= 148; i, sum = i-1, sum/8 {
		h[i] = byte('0' + sum%8)
	}
	h[154], h[155] = 0, ' '
	return h
}

func TestNamesInACache(t *testing.T) {
	for name, lands := range map[string]bool{
		"source/deps/new\nline": true, "source/deps/\xff\xfe": true, "source/deps/dot.": true, "source/deps/back\\slash": true, "source/deps/UP": true,
		"source/deps/..": false, "source/deps/../../x": false, "/source/deps/x": false, "source/deps//x": false,
		"source/deps/" + strings.Repeat("n", 300): false, "source/deps" + strings.Repeat("/d", 3000): true,
	} {
		src, u, err := unpacked(t, tarOf(t, tar.Header{Name: name}))
		if err != nil {
			t.Errorf("%.60q: %v", name, err)
		}
		if landed := u.files == 1; landed != lands {
			t.Errorf("%.60q landed: %v", name, landed)
		}
		if around, _ := os.ReadDir(filepath.Dir(src)); len(around) != 2 {
			t.Errorf("%.60q: beside the source there is %v", name, around)
		}
		if u.refused+u.troubles == 0 == !lands {
			t.Errorf("%.60q was neither restored nor left out", name)
		}
	}
}

func FuzzUnpackCache(f *testing.F) {
	for _, h := range []tar.Header{
		{Name: "source/deps/a/b"}, {Typeflag: tar.TypeDir, Name: "source/deps/d/", Mode: 0o500}, {Typeflag: tar.TypeSymlink, Name: "source/deps/l", Linkname: "/etc"},
		{Typeflag: tar.TypeLink, Name: "source/deps/h", Linkname: "/etc/passwd"}, {Name: "source/deps/../../x"}, {Name: "home/x"},
	} {
		f.Add(tarOf(f, h))
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		src, _, _ := unpacked(t, archive[:min(len(archive), 64<<10)])
		for dir, most := range map[string]int{filepath.Dir(src): 2, src: 1, filepath.Join(filepath.Dir(src), "home"): 0} {
			if found, _ := os.ReadDir(dir); len(found) > most {
				t.Fatalf("%s has %v", dir, found)
			}
		}
		_ = filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
				t.Fatalf("%s is %v", path, d.Type())
			}
			return nil
		})
	})
}
