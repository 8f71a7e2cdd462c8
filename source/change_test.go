package source

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// changed asks for what changed, of a commit that is fetched first.
func changed(t testing.TB, s *Store, remote Remote, commit string, since Since) Change {
	t.Helper()
	if _, err := s.Fetch(t.Context(), remote, Want{Commit: commit}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Change(t.Context(), remote, commit, since)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestChangesOfAPush(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	r.write("dir/kept.txt", "kept\n")
	r.write("dir/gone.txt", "gone\n")
	r.write("swap", "a file\n")
	before := r.commit("before")
	r.git("rm", "-q", "dir/gone.txt", "swap")
	r.write("swap/file.txt", "a directory now\n")
	r.write("dir/sub/new.txt", "new\n")
	r.write("dir/odd\n\"name", "odd\n")
	after := r.commit("the subject\n\nthe body\n\nskip-checks: true")
	got := changed(t, s, remote, after, Since{Commit: before})
	want := strings.Split(strings.TrimSuffix(r.git("diff", "--no-renames", "--name-only", "-z", before, after), "\x00"), "\x00")
	slices.Sort(want)
	if !slices.Equal(got.Files, want) || got.Unknown != "" {
		t.Errorf("got %q (%s), want %q", got.Files, got.Unknown, want)
	}
	if !strings.HasPrefix(got.Message, "the subject\n\nthe body\n\nskip-checks: true") {
		t.Errorf("message %q", got.Message)
	}
	if got := changed(t, s, remote, after, Since{}); got.Files != nil || got.Unknown != "" || got.Message == "" {
		t.Errorf("asked for the message alone: %+v", got)
	}
	if got := changed(t, s, remote, after, Since{Commit: after}); len(got.Files) > 0 || got.Unknown != "" {
		t.Errorf("a commit differs from itself: %+v", got)
	}
}

func TestChangesThatCannotBeTold(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	head := r.git("rev-parse", "HEAD")
	gone := strings.Repeat("7", 40)
	for _, c := range []struct {
		since Since
		want  string
	}{
		{Since{Commit: gone}, "777777777777, is gone"},
		{Since{Commit: "HEAD"}, "malformed"},
		{Since{Base: "refs/heads/nowhere"}, "no refs/heads/nowhere"},
		{Since{Base: "refs/heads/main"}, "in refs/heads/main already"},
	} {
		if got := changed(t, s, remote, head, c.since); !strings.Contains(got.Unknown, c.want) || len(got.Files) > 0 {
			t.Errorf("since %+v: %+v, want %q", c.since, got, c.want)
		}
	}
	// A tree with more files than are told, as git makes it without any files.
	blob := r.pipe("x", "hash-object", "-w", "--stdin")
	entries := func(n int, mode, kind, id string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s %s %s\tf%05d\n", mode, kind, id, i)
		}
		return r.pipe(b.String(), "mktree")
	}
	small := entries(1000, "100644", "blob", blob)
	many := r.git("commit-tree", "-m", "many", "-p", head, entries(60, "040000", "tree", small))
	r.git("update-ref", "refs/heads/many", many)
	if got := changed(t, s, remote, many, Since{Commit: head}); !strings.Contains(got.Unknown, "50,000") || got.Message == "" {
		t.Errorf("60,000 files: %d files, %q", len(got.Files), got.Unknown)
	}
	// Directories within directories, each of which stands there many times: few objects, without end for who walks them.
	tree := r.pipe("", "mktree")
	for range 6 {
		tree = entries(100, "040000", "tree", tree)
	}
	bomb := r.git("commit-tree", "-m", "bomb", "-p", head, tree)
	r.git("update-ref", "refs/heads/bomb", bomb)
	if got := changed(t, s, remote, bomb, Since{Commit: head}); !strings.Contains(got.Unknown, "too large") || got.Message == "" {
		t.Errorf("a tree without end: %d files, %q", len(got.Files), got.Unknown)
	}
}

func TestChangesOfANewBranch(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	r.git("checkout", "-q", "-b", "feature")
	r.write("feature.txt", "1\n")
	r.commit("one")
	r.write("feature2.txt", "2\n")
	feature := r.commit("two")
	r.git("checkout", "-q", "main")
	r.write("main.txt", "main went on\n")
	head := r.commit("on main")
	r.git("update-ref", "refs/pull/7/head", feature)
	want := []string{"feature.txt", "feature2.txt"}
	for _, since := range []Since{{New: "refs/heads/feature"}, {Base: "refs/heads/main"}} {
		if got := changed(t, s, remote, feature, since); !slices.Equal(got.Files, want) || got.Unknown != "" {
			t.Errorf("since %+v: %+v", since, got)
		}
	}
	all := strings.Split(r.git("ls-tree", "-r", "--name-only", head), "\n")
	slices.Sort(all)
	if got := changed(t, s, remote, head, Since{New: "refs/heads/main"}); !slices.Equal(got.Files, all) {
		t.Errorf("the first push of the default branch: %+v, want %v", got, all)
	}
	stray := r.git("commit-tree", "-m", "no parent", head+"^{tree}")
	r.git("update-ref", "refs/heads/stray", stray)
	if got := changed(t, s, remote, stray, Since{New: "refs/heads/stray"}); !slices.Equal(got.Files, all) {
		t.Errorf("a history of its own: %+v, want %v", got, all)
	}
}

// TestMergeBasesAreGits compares with git itself, on histories made at random, with clocks that go back.
func TestMergeBasesAreGits(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	rnd := rand.New(rand.NewPCG(7, 11))
	tree := r.git("rev-parse", "HEAD^{tree}")
	all := []string{r.git("rev-parse", "HEAD")}
	for i := range 60 {
		r.now += int64(rnd.IntN(200)) - 20
		args := []string{"commit-tree", "-m", fmt.Sprint(i), tree}
		for range 1 + rnd.IntN(2) {
			args = append(args, "-p", all[len(all)-1-rnd.IntN(min(6, len(all)))])
		}
		all = append(all, r.git(args...))
	}
	r.git("update-ref", "refs/heads/main", all[len(all)-1])
	for i, id := range all {
		r.git("update-ref", fmt.Sprintf("refs/heads/c%d", i), id)
	}
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for range 100 {
		a, b := all[rnd.IntN(len(all))], all[rnd.IntN(len(all))]
		c := &comparison{ctx: t.Context(), meta: newMetadata(v.Objects), commits: maxBaseWalk, trees: maxTrees}
		one, _ := parseCommit(a)
		other, _ := parseCommit(b)
		base, found, err := c.mergeBase(one, other)
		want := strings.Fields(r.git("merge-base", "--all", a, b))
		if err != nil || found != (len(want) > 0) || (found && !slices.Contains(want, base.String())) {
			t.Errorf("of %s and %s: %s %v %v, git says %v", a, b, base, found, err, want)
		}
	}
}

func TestTheDefaultBranchOfAMirror(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	if got := s.DefaultBranch(remote.URL); got != "" {
		t.Errorf("before the first fetch: %q", got)
	}
	r.git("branch", "-m", "main", "trunk")
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	if got := s.DefaultBranch(remote.URL); got != "refs/heads/trunk" {
		t.Errorf("got %q", got)
	}
}
