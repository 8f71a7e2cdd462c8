package conformance

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner"
)

// abilityStories are the stories of what an executor can do, and of what it must refuse.
func abilityStories(abilities []Ability) []story {
	all := []struct {
		ability Ability
		ask     func(*box)
		works   story
	}{
		{Services, askForService, story{"a service is there before the job and reachable by name", serviceIsReachable}},
		{Privileged, func(b *box) { b.spec.Privileged = true }, story{"a privileged job may mount and has room for an engine", privilegedMay}},
	}
	var out []story
	for _, a := range all {
		if slices.Contains(abilities, a.ability) {
			out = append(out, a.works)
			continue
		}
		out = append(out, story{string(a.ability) + " are refused with a sentence", func(t *testing.T, newExecutor New) {
			ex, image := newExecutor(t)
			b := prepareBox(t, ex, image)
			a.ask(b)
			err := ex.Create(t.Context(), b.spec)
			if err == nil || !strings.Contains(err.Error(), string(a.ability)) {
				t.Errorf("asked for %s: %v", a.ability, err)
			}
			if _, err := ex.Inspect(t.Context(), b.spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
				t.Errorf("something was made all the same: %v", err)
			}
		}})
	}
	return out
}

// askForService adds a small web server, in the same image as the job.
func askForService(b *box) {
	b.spec.Services = []runner.Service{{
		Name: "web", Image: b.spec.Image, Entrypoint: []string{"sh", "-c"}, Env: []string{"GREETING=hello from the service"},
		Command: []string{`mkdir /www; echo "$GREETING" >/www/index.html; exec httpd -f -p 80 -h /www`},
		Health:  &runner.Health{Command: "wget -q -O /dev/null http://127.0.0.1/"},
	}}
}

func serviceIsReachable(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	b := prepareBox(t, ex, image)
	askForService(b)
	for range 2 {
		if err := ex.Create(t.Context(), b.spec); err != nil {
			t.Fatal(err)
		}
	}
	rec := b.run(b.job("wget -q -O - http://web/"))
	rec.wantStatus("SUCCEEDED")
	rec.wantLog("\nhello from the service\n")
	if err := ex.Remove(t.Context(), b.spec.ID); err != nil {
		t.Fatal(err)
	}
	if ids, err := ex.List(t.Context()); err != nil || slices.Contains(ids, b.spec.ID) {
		t.Errorf("still listed in %q, %v", ids, err)
	}
}

func privilegedMay(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	plain := newBox(t, ex, image)
	rec := plain.run(plain.job("mkdir -p /mnt; mount -t tmpfs tmpfs /mnt && echo mounted || echo refused"))
	rec.wantLog("\nrefused\n")
	b := prepareBox(t, ex, image)
	b.spec.Privileged = true
	if err := ex.Create(t.Context(), b.spec); err != nil {
		t.Fatal(err)
	}
	rec = b.run(b.job("mkdir -p /mnt; mount -t tmpfs tmpfs /mnt && echo mounted", "grep -c ' /var/lib/docker ' /proc/mounts",
		"touch /var/lib/docker/mine && echo written"))
	rec.wantStatus("SUCCEEDED")
	rec.wantLog("\nmounted\n", "\n1\n", "\nwritten\n")
}

// EngineInside tells of a privileged job that starts an engine of its own, makes an image in it and runs that. It
// needs an image with dockerd, docker and a static busybox.
func EngineInside(t *testing.T, newExecutor New) {
	ex, image := newExecutor(t)
	b := prepareBox(t, ex, image)
	b.spec.Privileged = true
	if err := ex.Create(t.Context(), b.spec); err != nil {
		t.Fatal(err)
	}
	rec := b.run(b.job(
		"(dockerd >/tmp/dockerd.log 2>&1 &)",
		"i=0; until docker info >/dev/null 2>&1; do i=$((i+1)); test $i -lt 100 || { tail /tmp/dockerd.log; exit 1; }; sleep 0.3; done",
		"docker info -f 'storage {{.Driver}}'",
		"mkdir -p /r/bin; cp /bin/busybox /r/bin/; ln -s busybox /r/bin/sh; tar -C /r -c . | docker import - made",
		"docker run --rm -m 64m made /bin/sh -c 'echo hello from inside'",
		`printf 'FROM made\nRUN echo built in there >/x\n' | DOCKER_BUILDKIT=0 docker build -q -t built -; docker run --rm built /bin/busybox cat /x`,
	))
	rec.wantStatus("SUCCEEDED")
	rec.wantLog("\nstorage overlay2\n", "\nhello from inside\n", "\nbuilt in there\n")
	if err := ex.Remove(t.Context(), b.spec.ID); err != nil {
		t.Error(err)
	}
}
