package e2e

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
	"github.com/runner-ci/runner/internal/githost"
)

// The benchmarks measure what a user waits for, against `docker run` of the same in the same run, pair by pair, and
// report the ratio of the sums as x_docker_run. Run them with make bench.

func benchDaemon(b *testing.B, commands ...string) (*daemon, *githost.Repo, string, string) {
	b.Helper()
	git := newGitServer(b)
	repo, url, commit := git.repo("bench", map[string]string{"buildspec.yml": spec(commands...)})
	d := newDaemon(b, "", project("bench", url))
	d.build(d.push(url, commit)) // mirror, snapshot, agent volume and network are there from now on
	return d, repo, url, commit
}

// dockerRun runs commands in the small image, and returns when the first output came and when all was over.
func dockerRun(b *testing.B, commands ...string) (first, all time.Duration) {
	b.Helper()
	began := time.Now()
	cmd := exec.Command("docker", "run", "--rm", image, "sh", "-c", strings.Join(commands, "; "))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadByte(); err != nil {
		b.Fatal(err)
	}
	first = time.Since(began)
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return first, time.Since(began)
}

// BenchmarkFigureStartCold is from the moment the webhook is sent until the first line of the first command
// can be read from the daemon; the snapshot is present, no sandbox is warm.
func BenchmarkFigureStartCold(b *testing.B) {
	d, _, url, commit := benchDaemon(b, "echo first-output")
	figures.Run(b, "start-cold", "ms", func(b *testing.B) (ours, theirs float64) {
		began := time.Now()
		id := d.push(url, commit)
		waitForOutput(b, d, id, "first-output\n")
		took := time.Since(began)
		d.build(id)
		d.waiting(0)
		first, _ := dockerRun(b, "echo first-output")
		return ms(took), ms(first)
	})
}

func waitForOutput(b *testing.B, d *daemon, id, text string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for {
		log, err := d.Log(ctx, id, "", client.LogOptions{Follow: true})
		if err != nil {
			if ctx.Err() != nil {
				b.Fatalf("no output: %v", err)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		r := bufio.NewReader(log)
		for {
			line, err := r.ReadString('\n')
			if line == text {
				log.Close()
				return
			}
			if err != nil {
				break
			}
		}
		log.Close()
	}
}

// BenchmarkTrivialBuild is three echoes, from the webhook to the stored result.
func BenchmarkTrivialBuild(b *testing.B) {
	d, _, url, commit := benchDaemon(b, echoes...)
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		id := d.push(url, commit)
		if got := d.build(id); got.Status != "SUCCEEDED" {
			b.Fatalf("the build ended %s: %s", got.Status, got.Message)
		}
		ours += time.Since(began)
		_, all := dockerRun(b, echoes...)
		theirs += all
	}
	report(b, ours, theirs)
}

func report(b *testing.B, ours, theirs time.Duration) {
	n := float64(b.N)
	b.ReportMetric(float64(ours.Milliseconds())/n, "ours_ms")
	b.ReportMetric(float64(theirs.Milliseconds())/n, "docker_run_ms")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x_docker_run")
	b.ReportMetric(0, "ns/op") // the loop holds both; the figure would mislead
}
