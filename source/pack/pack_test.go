package pack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// git runs real git in dir and returns what it prints.
func git(t testing.TB, dir string, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// history makes a repository whose packs hold long chains of deltas, a tag, and a large file.
func history(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q", "-b", "main")
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "line %d of a file that changes a little every time\n", i)
	}
	for i := range 24 {
		body := strings.Replace(text.String(), fmt.Sprintf("line %d ", i*7), fmt.Sprintf("changed %d ", i), 1)
		if err := os.WriteFile(filepath.Join(dir, "file.txt"), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("other%d", i%5)), []byte(body[:i*100]), 0o644); err != nil {
			t.Fatal(err)
		}
		git(t, dir, nil, "add", ".")
		git(t, dir, nil, "commit", "-q", "-m", fmt.Sprintf("change %d", i))
	}
	git(t, dir, nil, "tag", "-a", "-m", "one", "v1")
	return dir
}

func packAll(t testing.TB, repo string, revs string, flags ...string) []byte {
	t.Helper()
	args := append([]string{"pack-objects", "--revs", "--stdout", "-q"}, flags...)
	return git(t, repo, []byte(revs), args...)
}

// ingestAll ingests and publishes a pack, and opens the directory.
func ingestAll(t testing.TB, dir string, data []byte, base *Objects) (*Staged, *Objects) {
	t.Helper()
	s, err := Ingest(context.Background(), bytes.NewReader(data), dir, base, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(dir); err != nil {
		t.Fatal(err)
	}
	o, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return s, o
}

// sameAsGit compares every object with what git says of it.
func sameAsGit(t testing.TB, repo string, o *Objects, ids []string) {
	t.Helper()
	r := o.NewReader(0)
	batch := bufio.NewReader(bytes.NewReader(git(t, repo, []byte(strings.Join(ids, "\n")), "cat-file", "--batch")))
	for _, id := range ids {
		var kind string
		var size int
		if _, err := fmt.Fscanf(batch, id+" %s %d\n", &kind, &size); err != nil {
			t.Fatalf("reading what git says of %s: %v", id, err)
		}
		want := make([]byte, size+1)
		if _, err := io.ReadFull(batch, want); err != nil {
			t.Fatal(err)
		}
		want = want[:size]
		gotKind, got, err := r.Read(plumbing.NewHash(id))
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if gotKind.String() != kind || !bytes.Equal(got, want) {
			t.Errorf("%s: got %s of %d bytes, want %s of %d", id, gotKind, len(got), kind, size)
		}
		headKind, headSize, err := r.Header(plumbing.NewHash(id))
		if err != nil || headKind != gotKind || headSize != int64(size) {
			t.Errorf("%s: header says %s of %d (%v), want %s of %d", id, headKind, headSize, err, kind, size)
		}
		var out bytes.Buffer
		if err := r.WriteTo(&out, plumbing.NewHash(id)); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: WriteTo gave %d bytes, %v", id, out.Len(), err)
		}
	}
}

func allObjects(t testing.TB, repo string, args ...string) []string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(string(git(t, repo, nil, append([]string{"rev-list", "--objects"}, args...)...))) {
		ids = append(ids, line[:40])
	}
	return ids
}

func TestIngestReadsWhatGitPacked(t *testing.T) {
	repo := history(t)
	for name, flags := range map[string][]string{
		"offset deltas":    {"--delta-base-offset"},
		"reference deltas": {},
		"no deltas":        {"--window=0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, o := ingestAll(t, dir, packAll(t, repo, "main\nv1\n", flags...), nil)
			ids := allObjects(t, repo, "main", "v1")
			if s.Objects != len(ids) {
				t.Errorf("ingested %d objects, want %d", s.Objects, len(ids))
			}
			sameAsGit(t, repo, o, ids)
			if err := o.Packs()[0].Verify(); err != nil {
				t.Error(err)
			}
			git(t, dir, nil, "verify-pack", filepath.Join(dir, s.Name+".idx"))
			want := git(t, dir, nil, "index-pack", "-o", filepath.Join(t.TempDir(), "x.idx"), filepath.Join(dir, s.Name+".pack"))
			if !strings.Contains(string(want), strings.TrimPrefix(s.Name, "pack-")) {
				t.Errorf("git names the pack %s, we %s", want, s.Name)
			}
		})
	}
}

func TestIngestCompletesThinPacks(t *testing.T) {
	repo := history(t)
	dir := t.TempDir()
	_, base := ingestAll(t, dir, packAll(t, repo, "main~5\n"), nil)
	thin := packAll(t, repo, "main\n^main~5\n", "--thin")

	if _, err := Ingest(context.Background(), bytes.NewReader(thin), dir, nil, Limits{}); err == nil {
		t.Fatal("a thin pack was taken without its bases")
	}
	s, all := ingestAll(t, dir, thin, base)
	if s.Thin == 0 {
		t.Fatal("the pack was not thin, so this test shows nothing")
	}
	sameAsGit(t, repo, all, allObjects(t, repo, "main"))
	git(t, dir, nil, "verify-pack", filepath.Join(dir, s.Name+".idx"))
}

func TestMergeKeepsWhatIsWanted(t *testing.T) {
	repo := history(t)
	dir := t.TempDir()
	ingestAll(t, dir, packAll(t, repo, "main~20\n", "--delta-base-offset"), nil)
	ingestAll(t, dir, packAll(t, repo, "main~10\n", "--delta-base-offset"), nil)
	_, o := ingestAll(t, dir, packAll(t, repo, "main\n"), nil)

	t.Run("everything", func(t *testing.T) {
		to := t.TempDir()
		s, err := Merge(t.Context(), o.Packs(), to, func(ID) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(to); err != nil {
			t.Fatal(err)
		}
		ids := allObjects(t, repo, "main")
		if s.Objects != len(ids) {
			t.Errorf("merged pack holds %d objects, want %d", s.Objects, len(ids))
		}
		merged, err := OpenDir(to)
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		sameAsGit(t, repo, merged, ids)
		git(t, to, nil, "verify-pack", filepath.Join(to, s.Name+".idx"))
	})
	t.Run("an old commit", func(t *testing.T) {
		ids := allObjects(t, repo, "main~15")
		want := make(map[ID]bool)
		for _, id := range ids {
			want[plumbing.NewHash(id)] = true
		}
		to := t.TempDir()
		s, err := Merge(t.Context(), o.Packs(), to, func(id ID) bool { return want[id] })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(to); err != nil {
			t.Fatal(err)
		}
		if all := len(allObjects(t, repo, "main")); s.Objects >= all {
			t.Errorf("nothing was left out: %d of %d", s.Objects, all)
		}
		merged, err := OpenDir(to)
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		sameAsGit(t, repo, merged, ids)
		git(t, to, nil, "verify-pack", filepath.Join(to, s.Name+".idx"))
	})
}

func TestIngestRefusesDamage(t *testing.T) {
	repo := history(t)
	good := packAll(t, repo, "main\n", "--delta-base-offset")
	cut := func(n int) []byte { return good[:n] }
	flip := func(n int) []byte { b := bytes.Clone(good); b[n] ^= 0x55; return b }
	for name, data := range map[string][]byte{
		"cut in the header":    cut(7),
		"cut in an object":     cut(len(good) / 2),
		"cut before trailer":   cut(len(good) - 20),
		"cut in the trailer":   cut(len(good) - 1),
		"changed in the count": flip(11),
		"changed in an object": flip(len(good) / 3),
		"changed trailer":      flip(len(good) - 3),
		"bytes behind":         append(bytes.Clone(good), 'x'),
		"not a pack":           []byte("<html>This page is not a repository</html>"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Ingest(t.Context(), bytes.NewReader(data), dir, nil, Limits{})
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) {
				t.Errorf("got %v, want a CorruptError", err)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("files stayed behind: %v", left)
			}
		})
	}
	for name, limits := range map[string]Limits{
		"pack":    {PackBytes: int64(len(good)) - 1},
		"objects": {Objects: 3},
		"object":  {ObjectBytes: 100},
	} {
		t.Run("limit of "+name, func(t *testing.T) {
			_, err := Ingest(t.Context(), bytes.NewReader(good), t.TempDir(), nil, limits)
			var limit *LimitError
			if !errors.As(err, &limit) {
				t.Errorf("got %v, want a LimitError", err)
			}
		})
	}
}

func FuzzIngest(f *testing.F) {
	dir := f.TempDir()
	git(f, dir, nil, "init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte("abcdefgh\n"), 50), 0o644); err != nil {
		f.Fatal(err)
	}
	git(f, dir, nil, "add", ".")
	git(f, dir, nil, "commit", "-q", "-m", "one")
	if err := os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte("abcdefgh\n"), 60), 0o644); err != nil {
		f.Fatal(err)
	}
	git(f, dir, nil, "commit", "-q", "-a", "-m", "two")
	f.Add(packAll(f, dir, "main\n", "--delta-base-offset"))
	f.Add(packAll(f, dir, "main\n"))
	f.Add(packAll(f, dir, "main\n^main~1\n", "--thin"))
	f.Fuzz(func(t *testing.T, data []byte) {
		to := t.TempDir()
		limits := Limits{ObjectBytes: 1 << 20, Objects: 1000, PackBytes: 1 << 20}
		s, err := Ingest(t.Context(), bytes.NewReader(data), to, nil, limits)
		if err != nil || s.Path == "" {
			return
		}
		p, err := s.Open()
		if err != nil {
			t.Fatalf("an ingested pack does not open: %v", err)
		}
		o := (&Objects{}).With(p)
		defer o.Close()
		r := o.NewReader(1 << 20)
		for i := range p.Len() {
			if _, _, err := r.Read(p.At(i)); err != nil {
				t.Fatalf("an ingested object does not read: %v", err)
			}
		}
	})
}

func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("hello world"), []byte("\x0b\x05\x90\x05"))
	f.Add([]byte("hello world"), []byte("\x0b\x03\x03abc"))
	f.Fuzz(func(_ *testing.T, base, delta []byte) {
		_, _ = applyDelta(base, delta, 1<<20)
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0xb5, 0x0a})
	f.Add(append([]byte{0x75}, make([]byte, 20)...))
	f.Add([]byte{0x65, 0x81, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := parseHeader(b)
		if !ok {
			return
		}
		again, ok := parseHeader(appendHeader(nil, h))
		h.length, again.length = 0, 0
		if !ok || again != h {
			t.Fatalf("%+v became %+v", h, again)
		}
	})
}
