package e2e

import (
	"strings"
	"testing"
	"time"
)

// heavy adds to the image a step that takes time and leaves 64 MB of noise.
const heavy = `RUN busybox dd if=/dev/urandom of=/noise bs=1M count=64 2>/dev/null; busybox gzip -c /noise >/dev/null; busybox gzip -c /noise >/dev/null
ARG GREETING`

// BenchmarkImageLayers measures the phase IMAGES of builds whose only news is a small file: with the layers that the builder
// keeps, with those of the last push alone, and with none.
func BenchmarkImageLayers(b *testing.B) {
	r := newRegistry(b)
	git := newGitServer(b)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": imageSpec(r, ""), "use.yml": useSpec, "app/Dockerfile": strings.Replace(dockerfile, "ARG GREETING", heavy, 1)})
	d := imageDaemon(b, r, url, "")
	d.ended(d.push(url, commit), "SUCCEEDED")
	forget := func() {
		for _, v := range strings.Fields(docker(b, "volume", "ls", "-q", "--filter", "label=runner.instance="+d.instance)) {
			docker(b, "volume", "rm", v)
		}
	}
	for _, way := range []struct {
		name, key string // of the image
		before    func()
		says      string
	}{
		{"kept", "", func() {}, "CACHED"}, {"last-push", "", forget, "was given those of the last push"}, {"none", "      cache: no\n", forget, "Building image"},
	} {
		b.Run(way.name, func(b *testing.B) {
			var took time.Duration
			for range b.N {
				b.StopTimer()
				if err := repo.Write("app/a", time.Now().String()); err != nil {
					b.Fatal(err)
				}
				if err := repo.Write("buildspec.yml", strings.Replace(imageSpec(r, ""), "    api:\n", "    api:\n"+way.key, 1)); err != nil {
					b.Fatal(err)
				}
				commit, err := repo.Commit(b.Context(), way.name)
				if err != nil {
					b.Fatal(err)
				}
				way.before()
				b.StartTimer()
				built := d.ended(d.push(url, commit), "SUCCEEDED")
				if log := d.jobLog(built.ID, "make"); !strings.Contains(log, way.says) {
					b.Fatalf("the log lacks %q:\n%s", way.says, log)
				}
				for _, p := range built.Jobs[0].Phases {
					if p.Name == "IMAGES" {
						took += time.Duration(p.Seconds * float64(time.Second))
					}
				}
			}
			b.ReportMetric(took.Seconds()/float64(b.N), "images-s")
		})
	}
}
