package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/runner-ci/runner/internal/githost"
)

// kind is a project whose builds are known in advance, byte by byte. Each commit has a salt, which its builds print and
// keep.
type kind struct {
	name     string
	spec     string   // buildspec.yml; began.sh has been run before what it says
	work     string   // work.sh
	files    int      // tests, where the kind has some
	serves   bool     // its jobs have services
	once     bool     // its commands may begin once, whatever happens
	report   string   // what its report file has, where it leaves one
	settings []string // further lines of its project
	status   string
	exit     int
	attempts int
	jobs     int
	output   func(k *kind, salt string) string            // of the commands of its one job, after the token
	left     func(k *kind, salt string) map[string][]byte // artifacts of its one job

	blob []byte // binary content of the repository
	url  string

	mu     sync.Mutex
	repo   *githost.Repo
	salt   string
	commit string
	salts  map[string]string // by commit
}

const blobBytes = 256 << 10

// lines are those of `seq from to`.
func lines(prefix string, from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(prefix)
		b.WriteString(strconv.Itoa(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// slowly prints numbered lines with time between them, in which things can die.
func slowly(n int, pause string) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line-$i; sleep %s; done\n", n, pause)
}

const plainSpec = `version: 0.2
env:
  image: %s
phases:
  build:
    commands:
      - sh began.sh
      - sh work.sh
artifacts:
  files: [out/**/*]
`

func (w *world) setKinds(ctx context.Context) error {
	spec := fmt.Sprintf(plainSpec, image)
	twoFiles := func(k *kind, salt string) map[string][]byte {
		return map[string][]byte{"out/salt": []byte(salt + "\n"), "out/deep/blob": append(bytes.Clone(k.blob), salt+"\n"...)}
	}
	small := func(_ *kind, salt string) string { return salt + "\n" + lines("line-", 1, 40) }
	done := func(_ *kind, salt string) string { return salt + "\ndone\n" }
	const keep = "mkdir -p out/deep; cp salt out/salt; cat blob.bin salt > out/deep/blob\n"
	cached := func(path string) string {
		return strings.Replace(spec, "artifacts:", "cache:\n  paths: ['"+path+"']\nartifacts:", 1)
	}
	// What the cache brought is whole, or the job fails with a status of its own.
	const useCache = "cat salt; if [ -e deps/sum ]; then sha256sum -c deps/sum >/dev/null || exit 33; fi\n" +
		"mkdir -p deps; cp blob.bin deps/a; cat blob.bin salt > deps/b; sha256sum deps/a deps/b > deps/sum; sleep 0.5; echo done\n" + keep
	const report = `<testsuite tests="2"><testcase name="a"/><testcase name="b"/></testsuite>`
	w.kinds = []*kind{
		{name: "small", spec: spec + "reports:\n  unit:\n    files: [r.xml]\n", report: report, work: "cat salt\n" + slowly(40, "0.04") + keep + "echo '" + report + "' > r.xml\n", output: small, left: twoFiles},
		{name: "fails", spec: spec, work: "cat salt\n" + slowly(40, "0.03") + keep + "exit 7\n", status: "FAILED", exit: 7, output: small, left: twoFiles},
		{name: "deploys", once: true, settings: []string{"retry-faults: before-commands"}, spec: spec, work: "cat salt\n" + slowly(40, "0.03") + keep, output: small, left: twoFiles},
		{name: "large", spec: spec, work: "cat salt; seq 1 300000; sleep 1; seq 300001 400000\nmkdir out; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat blob.bin; done > out/big; cat salt >> out/big\n",
			output: func(_ *kind, salt string) string { return salt + "\n" + lines("", 1, 400000) },
			left: func(k *kind, salt string) map[string][]byte {
				return map[string][]byte{"out/big": append(bytes.Repeat(k.blob, 12), salt+"\n"...)}
			}},
		{name: "layers", spec: cached("deps/**/*"), work: useCache, output: done, left: twoFiles},
		{name: "packed", spec: cached("deps/*"), work: useCache, output: done, left: twoFiles},
		{name: "again", spec: strings.Replace(spec, "    commands:", "    on-failure: RETRY-1\n    commands:", 1), work: "cat salt\nsleep 0.3\necho done\n" + keep + "exit 9\n",
			status: "FAILED", exit: 9, attempts: 2, output: done, left: twoFiles},
		{name: "serves", serves: true, spec: strings.Replace(spec, "phases:", fmt.Sprintf(serviceSpec, image)+"phases:", 1), work: "cat salt; wget -q -O - http://web/\nsleep 0.5\n" + keep,
			output: func(_ *kind, salt string) string { return salt + "\nhello from web\n" }, left: twoFiles},
		{name: "shards", spec: strings.Replace(shardSpec, "IMAGE", image, 1), work: "s=0; for f in \"$@\"; do sh $f && echo \"ran $f.\" || s=1; done; exit $s\n", files: 12, jobs: 2},
	}
	if w.registry != nil {
		pulled := strings.Replace(spec, image, w.registryImage(), 1)
		w.kinds = append(w.kinds, &kind{name: "pulled", spec: pulled, settings: []string{"pull: always"}, work: "cat salt; echo done\n" + keep, output: done, left: twoFiles})
	}
	for i, k := range w.kinds {
		if err := k.create(ctx, w, w.chance.fork(w.seed, uint64(100+i))); err != nil {
			return fmt.Errorf("making the repository %s: %w", k.name, err)
		}
	}
	return nil
}

const serviceSpec = `x-runner:
  services:
    web:
      image: %s
      command: mkdir /www && echo hello from web > /www/index.html && httpd -f -p 80 -h /www
      health: {command: wget -q -O - http://127.0.0.1/, interval: 1s, timeout: 2s, retries: 30}
`

const shardSpec = `version: 0.2
env:
  image: IMAGE
batch:
  fast-fail: false
  build-fanout:
    parallelism: 2
phases:
  build:
    commands:
      - sh began.sh
      - codebuild-tests-run --test-command 'sh work.sh' --files-search "codebuild-glob-search 'tests/*.sh'"
x-runner:
  sharding: queue
`

// beganText is the first thing that each job does: it tells the witness which run this is, and the log.
func (w *world) beganText(k *kind) string {
	return fmt.Sprintf("t=$(cat /proc/sys/kernel/random/uuid); echo token $t\n"+
		"wget -q -O /dev/null \"http://$(ip route | awk '/^default/{print $3}'):%d/?project=%s&number=$CODEBUILD_BUILD_NUMBER&box=$(hostname)&token=$t\" || echo nobody heard\n",
		w.witness.port, k.name)
}

// create fills in what was left out, and makes the repository.
func (k *kind) create(ctx context.Context, w *world, c *chance) (err error) {
	k.attempts, k.jobs = max(k.attempts, 1), max(k.jobs, 1)
	if k.status == "" {
		k.status = "SUCCEEDED"
	}
	k.blob = make([]byte, blobBytes)
	for i := range k.blob {
		k.blob[i] = byte(c.below(256))
	}
	k.url, k.salts = w.git.url+"/chaos/"+k.name+".git", make(map[string]string)
	if k.repo, err = githost.Create(ctx, w.git.root, "chaos/"+k.name); err != nil {
		return err
	}
	files := map[string]string{"buildspec.yml": k.spec, "began.sh": w.beganText(k), "work.sh": k.script(), "blob.bin": string(k.blob)}
	for i := range k.files {
		files[fmt.Sprintf("tests/t%02d.sh", i)] = "sleep 0.1\n"
	}
	for name, text := range files {
		if err := k.repo.Write(name, text); err != nil {
			return err
		}
	}
	_, _, err = k.renew(ctx, 1)
	return err
}

// script is work.sh. It ends with the first command that fails, as on a full disk; without its service it goes on.
func (k *kind) script() string {
	if k.serves {
		return k.work
	}
	return "set -e\n" + k.work
}

// head is the newest commit with its salt.
func (k *kind) head() (commit, salt string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commit, k.salt
}

// renew commits another salt.
func (k *kind) renew(ctx context.Context, n int) (commit, salt string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	salt = fmt.Sprintf("salt %d of %s", n, k.name)
	if err := k.repo.Write("salt", salt+"\n"); err != nil {
		return "", "", err
	}
	if commit, err = k.repo.Commit(ctx, salt); err != nil {
		return "", "", err
	}
	k.commit, k.salt, k.salts[commit] = commit, salt, salt
	return commit, salt, nil
}

// dirty makes a copy of the working tree with a salt that is not committed, for runner submit.
func (k *kind) dirty(ctx context.Context, dir string, n int) (salt string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.CopyFS(dir, os.DirFS(k.repo.Dir)); err != nil {
		return "", err
	}
	salt = fmt.Sprintf("uncommitted salt %d of %s", n, k.name)
	return salt, os.WriteFile(filepath.Join(dir, "salt"), []byte(salt+"\n"), 0o644)
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}
