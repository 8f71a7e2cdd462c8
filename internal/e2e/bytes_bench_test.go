package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

const logBytes = 100 << 20

// printLog prints 100 MiB of lines no two of which in a MiB are alike, at the speed of a pipe.
const printLog = `awk 'BEGIN{srand(1); for (n = 0; n < 20000; n++) printf "%07d %.12f ok internal/package/%06d passed in\n", n, rand(), rand()*1000000}' | head -c 1048576 > /tmp/lines; ` +
	`for i in 1 2 3 4 5 6 7 8 9 10; do cat /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines /tmp/lines; done`

// BenchmarkLog is from the webhook until the build is over and the last byte of its log can be read, against `docker
// run` of the same commands with the engine's default log driver.
func BenchmarkLog(b *testing.B) {
	d, _, url, commit := benchDaemon(b, printLog)
	var ours, theirs []time.Duration
	for b.Loop() {
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
		ours = append(ours, time.Since(began))
		_, all := dockerRun(b, printLog)
		theirs = append(theirs, all)
	}
	reportMedians(b, ours, theirs)
}

// BenchmarkArtifact is 256 MB of noise in a job's workspace: from the end of the command that made it until the build
// is over and the artifact stored, against `docker cp` of the same out of a container to a file.
func BenchmarkArtifact(b *testing.B) {
	const size = 256 << 20
	git := newGitServer(b)
	make := fmt.Sprintf("head -c %d /dev/urandom > noise; sync noise", size)
	_, url, commit := git.repo("artifact", map[string]string{"buildspec.yml": spec(make, "echo noise-made") + "artifacts:\n  files: [noise]\n"})
	d := newDaemon(b, "", project("artifact", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	name := "runner-bench-" + filepath.Base(b.TempDir())
	defer exec.Command("docker", "rm", "-f", name).Run()
	if out, err := exec.Command("docker", "run", "--name", name, image, "sh", "-c", make).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var ours, theirs, packing []time.Duration
	for b.Loop() {
		id := d.push(url, commit)
		waitForOutput(b, d, id, "noise-made\n")
		began := time.Now()
		build := d.ended(id, "SUCCEEDED")
		ours = append(ours, time.Since(began))
		packing = append(packing, phaseOf(build, "UPLOAD_ARTIFACTS"))
		began = time.Now()
		to := filepath.Join(b.TempDir(), "noise")
		if out, err := exec.Command("docker", "cp", name+":/noise", to).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		theirs = append(theirs, time.Since(began))
		os.Remove(to)
	}
	reportMedians(b, ours, theirs)
	b.ReportMetric(medianMillis(packing), "packing-ms")
}

// phaseOf is how long the phase of a name took in the first job.
func phaseOf(b client.Build, name string) time.Duration {
	for _, p := range b.Jobs[0].Phases {
		if p.Name == name {
			return time.Duration(p.Seconds * float64(time.Second))
		}
	}
	return 0
}

// reportMedians reports what turns took that were taken in pairs, and the ratio.
func reportMedians(b *testing.B, ours, theirs []time.Duration) {
	b.ReportMetric(medianMillis(ours), "ours-ms")
	b.ReportMetric(medianMillis(theirs), "theirs-ms")
	b.ReportMetric(medianMillis(ours)/medianMillis(theirs), "ratio")
	b.ReportMetric(0, "ns/op") // the loop holds both; the figure would mislead
}

func medianMillis(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}
