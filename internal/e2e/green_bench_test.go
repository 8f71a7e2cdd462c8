package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

// BenchmarkFigureGreenPush times a push from the moment its webhook is sent until its build has SUCCEEDED: ours is of a tree
// whose jobs succeeded before, theirs of one that differs by a line, so that its one job, an echo, runs.
func BenchmarkFigureGreenPush(b *testing.B) {
	git := newGitServer(b)
	files := map[string]string{"buildspec.yml": spec("echo done"), "line": "0\n"}
	for i := range 500 {
		files[fmt.Sprintf("src/%d/file%d", i/50, i)] = fmt.Sprintf("file %d\n", i)
	}
	repo, url, commit := git.repo("bench", files)
	d := newDaemon(b, "warm: auto\n", project("bench", url, "green-before-push: untrusted"))
	d.ended(d.push(url, commit), "SUCCEEDED")
	push := func(b *testing.B, took bool) float64 {
		commit, err := repo.Commit(b.Context(), "a change")
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		build := d.ended(d.push(url, commit), "SUCCEEDED")
		seconds := time.Since(began).Seconds()
		if got := build.Jobs[0].TakenFrom != ""; got != took {
			b.Fatalf("%s took a result: %t, want %t", build.ID, got, took)
		}
		return seconds
	}
	line := 0
	figures.Run(b, "green-push", "s", func(b *testing.B) (ours, theirs float64) {
		line++
		if err := repo.Write("line", fmt.Sprintf("%d\n", line)); err != nil {
			b.Fatal(err)
		}
		theirs = push(b, false)
		return push(b, true), theirs
	})
}
