package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/figures"
)

const logBytes = 100 << 20

// printLog prints 100 MiB of lines no two of which in a MiB are alike, at the speed of a pipe.
const printLog = `awk 'BEGIN{srand(1); for (n = 0; n < 20000; n++) printf "%07d %.12f ok internal/package/%06d passed in\n", n, rand(), rand()*1000000}' | head -c 1048576 > /tmp/lines; ` +
	`for i in 1 2 3 4 5 6 7 8 9 10; do cat /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines; done`

// BenchmarkFigureLog is from the webhook until the build is over and the last byte of its log can be read, against `docker
// run` of the same commands with the engine's default log driver.
func BenchmarkFigureLog(b *testing.B) {
	d, _, url, commit := benchDaemon(b, printLog)
	figures.Run(b, "log-100MB", "s", func(b *testing.B) (ours, theirs float64) {
		began := time.Now()
		build := d.ended(d.push(url, commit), "SUCCEEDED")
		tail, err := d.Log(b.Context(), build.ID, "", client.LogOptions{Offset: logBytes - 1})
		if err != nil {
			b.Fatal(err)
		}
		end, err := io.ReadAll(tail)
		if err != nil || len(end) == 0 {
			b.Fatalf("the end of the log has %d bytes: %v", len(end), err)
		}
		tail.Close()
		ours = time.Since(began).Seconds()
		_, all := dockerRun(b, printLog)
		return ours, all.Seconds()
	})
}

// BenchmarkFigureArtifact is 256 MB of noise in a job's workspace: from the end of the command that made it until the
// build is over and the artifact stored, against `docker cp` of the same out of a container to a file.
func BenchmarkFigureArtifact(b *testing.B) {
	const size = 256 << 20
	git := newGitServer(b)
	noise := fmt.Sprintf("head -c %d /dev/urandom > noise; sync noise", size)
	_, url, commit := git.repo("artifact", map[string]string{"buildspec.yml": spec(noise, "echo noise-made") + "artifacts:\n  files: [noise]\n"})
	d := newDaemon(b, "", project("artifact", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	name := "runner-bench-" + d.instance
	defer exec.Command("docker", "rm", "-f", name).Run()
	if out, err := exec.Command("docker", "run", "--name", name, image, "sh", "-c", noise).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	to := filepath.Join(b.TempDir(), "noise")
	figures.Run(b, "artifact-end-to-end", "s", func(b *testing.B) (ours, theirs float64) {
		syscall.Sync() // the engine leaves what it copies to be written later; that is no burden of ours
		id := d.push(url, commit)
		waitForOutput(b, d, id, "noise-made\n")
		began := time.Now()
		d.ended(id, "SUCCEEDED")
		ours = time.Since(began).Seconds()
		defer os.Remove(to)
		began = time.Now()
		if out, err := exec.Command("docker", "cp", name+":/noise", to).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return ours, time.Since(began).Seconds()
	})
}
