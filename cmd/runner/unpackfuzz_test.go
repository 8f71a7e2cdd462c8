package main

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzUnpack unpacks any tar: nothing lands outside of the directory, and in it are files, directories and links that stay.
func FuzzUnpack(f *testing.F) {
	for _, h := range []tar.Header{
		{Name: "a/b", Typeflag: tar.TypeReg, Mode: 0o4755, Linkname: "content"}, {Name: "../x", Typeflag: tar.TypeReg}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a/.."},
		{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}, {Name: "odd\nname\xff", Typeflag: tar.TypeReg}, {Name: "d/", Typeflag: tar.TypeDir},
	} {
		z, err := zstd.NewReader(archive(f, h))
		if err != nil {
			f.Fatal(err)
		}
		var plain bytes.Buffer
		_, _ = plain.ReadFrom(z)
		f.Add(plain.Bytes())
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		var packed bytes.Buffer
		z, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = z.Write(plain)
		_ = z.Close()
		top := t.TempDir()
		dir := filepath.Join(top, "dir")
		_, _, _ = unpack(&packed, dir)
		if beside, _ := os.ReadDir(top); len(beside) > 1 {
			t.Fatalf("beside the directory there is %v", beside)
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			info, err := d.Info()
			if err != nil || d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
				t.Fatalf("%s is %v, %v", path, info.Mode(), err)
			}
			if to, err := filepath.EvalSymlinks(path); err == nil && to != dir && !below(dir, to) {
				t.Fatalf("%s leads to %s", path, to)
			}
			return nil
		})
	})
}

func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// TestUnpackBoundsTheWindow gives it an archive that wants half a gibibyte to be unpacked in.
func TestUnpackBoundsTheWindow(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithWindowSize(zstd.MaxWindowSize), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(z)
	if err := tw.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 1 << 20, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		_, _ = tw.Write(make([]byte, 1<<16))
		_ = z.Flush() // so that the size is not known when the window is written down
	}
	_ = tw.Close()
	_ = z.Close()
	if _, _, err := unpack(&b, t.TempDir()); err == nil {
		t.Error("an archive with a window of 512 MiB was unpacked")
	}
}
