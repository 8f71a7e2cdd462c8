package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/figures"
	"github.com/runner-ci/runner/internal/githost"
)

// Of the tree that is submitted: 1 GB that does not deflate, with a history.
const (
	bigFiles   = 20_000
	bigFile    = 52_429
	bigCommits = 30
)

// bigTree is a working tree of 1 GB whose repository a git server has, in as many bare copies as are wanted.
type bigTree struct {
	b    *testing.B
	git  *gitServer
	repo *githost.Repo
	name string // of the repository that is its origin
	n    int    // edits so far
}

func newBigTree(b *testing.B) *bigTree {
	b.Helper()
	t := &bigTree{b: b, git: newGitServer(b), name: "big"}
	repo, err := githost.Create(b.Context(), t.git.root, t.name)
	if err != nil {
		b.Fatal(err)
	}
	t.repo = repo
	for _, kv := range []string{"core.compression", "core.looseCompression"} {
		t.run("config", kv, "0")
	}
	noise := rand.NewChaCha8([32]byte{7})
	body := make([]byte, bigFile)
	for i := range bigFiles {
		_, _ = noise.Read(body)
		t.write(t.fileName(i), string(body))
	}
	t.write("buildspec.yml", spec("echo began"))
	t.write("history.txt", "begun")
	t.run("-c", "core.bigFileThreshold=1k", "add", "-A") // at once into one pack
	t.run("commit", "-q", "-m", "all")
	for i := range bigCommits {
		t.write("history.txt", fmt.Sprint(i))
		t.run("commit", "-q", "-a", "-m", "more")
	}
	t.run("remote", "set-url", "origin", t.git.url+"/big.git")
	return t
}

func (t *bigTree) fileName(i int) string {
	return fmt.Sprintf("dir%02d/sub%02d/file%05d.bin", i%100, i/100%20, i)
}

func (t *bigTree) write(name, text string) {
	t.b.Helper()
	if err := t.repo.Write(name, text); err != nil {
		t.b.Fatal(err)
	}
}

func (t *bigTree) run(args ...string) {
	t.b.Helper()
	if _, err := t.repo.Git(t.b.Context(), args...); err != nil {
		t.b.Fatal(err)
	}
}

// edit changes one file, so that all of it has to be sent.
func (t *bigTree) edit() {
	t.n++
	body := make([]byte, bigFile)
	_, _ = rand.NewChaCha8([32]byte{8, byte(t.n)}).Read(body)
	t.write(t.fileName(t.n*37), string(body))
}

// submit submits until the build is made, then waits until it has ended.
func (t *bigTree) submit(d *daemon, project string) time.Duration {
	t.b.Helper()
	began := time.Now()
	out, errs, exit := d.runCLI(t.repo.Dir, "submit", "--project", project, "--detach")
	took := time.Since(began)
	at := strings.Index(out, project+"#")
	if exit != 0 || at < 0 {
		t.b.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	id := strings.Fields(out[at:])[0]
	if got := d.build(id); got.Status != "SUCCEEDED" {
		t.b.Fatalf("%s ended %s: %s", id, got.Status, got.Message)
	}
	return took
}

// BenchmarkFigureSubmitFirst is the first submit of a tree of 1 GB to a daemon that never saw its repository, against the
// first git push of the same to a repository without a commit.
func BenchmarkFigureSubmitFirst(b *testing.B) {
	t := newBigTree(b)
	const most = 5
	var projects []string
	for i := range most {
		name := fmt.Sprintf("first%d", i)
		if _, err := githost.Create(b.Context(), t.git.root, name); err != nil {
			b.Fatal(err)
		}
		projects = append(projects, project(name, t.git.url+"/"+name+".git"))
	}
	d := newDaemon(b, "", projects...)
	turn := 0
	figures.Run(b, "submit-first", "s", func(b *testing.B) (ours, theirs float64) {
		if turn >= most {
			b.Fatalf("there are %d repositories that nothing was sent to, and this is the next one", most)
		}
		name := fmt.Sprintf("first%d", turn)
		turn++
		ours = t.submit(d, name).Seconds()
		began := time.Now()
		t.run("push", "-q", t.git.url+"/"+name+".git", "main")
		theirs = time.Since(began).Seconds()
		if err := os.RemoveAll(filepath.Join(t.git.root, name+".git")); err != nil { // 1 GB
			b.Fatal(err)
		}
		return ours, theirs
	})
}

// BenchmarkFigureSubmitAgain is what follows the first submit: with nothing changed, against a git push that finds nothing to
// do; and with one file changed, against git add, commit and push of the same, until the build is made, and until it prints.
func BenchmarkFigureSubmitAgain(b *testing.B) {
	t := newBigTree(b)
	d := newDaemon(b, "warm: auto\n", project(t.name, t.git.url+"/big.git"))
	t.run("push", "-q", "origin", "main")
	t.submit(d, t.name)
	push := func() float64 {
		began := time.Now()
		t.run("add", "-A")
		t.run("commit", "-q", "--allow-empty", "-m", "one file")
		t.run("push", "-q", "origin", "main")
		return ms(time.Since(began))
	}
	figures.Run(b, "submit-again", "ms", func(b *testing.B) (ours, theirs float64) {
		ours = ms(t.submit(d, t.name))
		began := time.Now()
		t.run("push", "-q", "origin", "main")
		return ours, ms(time.Since(began))
	})
	figures.Run(b, "submit-one-file", "ms", func(b *testing.B) (ours, theirs float64) {
		t.edit()
		return ms(t.submit(d, t.name)), push()
	})
	figures.Run(b, "submit-one-file-output", "ms", func(b *testing.B) (ours, theirs float64) {
		d.waiting(1)
		t.edit()
		return ms(t.untilOutput(d)), push()
	})
}

// untilOutput submits until the build prints, and waits for its end.
func (t *bigTree) untilOutput(d *daemon) (took time.Duration) {
	t.b.Helper()
	token, err := os.ReadFile(filepath.Join(d.data(), "token"))
	if err != nil {
		t.b.Fatal(err)
	}
	cmd := exec.CommandContext(t.b.Context(), binary, "submit")
	cmd.Dir, cmd.Env = t.repo.Dir, append(os.Environ(), "RUNNER_URL=http://"+d.address, "RUNNER_TOKEN="+strings.TrimSpace(string(token)), d.cache())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.b.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "began" && took == 0 {
			took = time.Since(began)
		}
	}
	if err := cmd.Wait(); err != nil || took == 0 {
		t.b.Fatalf("runner submit printed nothing of the build: %v", err)
	}
	return took
}
