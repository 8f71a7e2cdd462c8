//go:build linux

package agent

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// artifactTree makes the files that most artifact stories are about.
func artifactTree(t *testing.T, src string) {
	t.Helper()
	for name, text := range map[string]string{
		"app.txt": "app", "out/a.txt": "a", "out/b.log": "b", "out/sub/a.txt": "sub a", "out/.hidden": "h",
		"out2/a.txt": "other a", "new\nline ü.txt": "odd", "out/run.sh": "#!",
	} {
		path := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(src, "out/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"out/link": "a.txt", "out/outside": "/etc/hostname", "out/dirlink": "sub", "out/etc": "/etc", "out/dangling": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(src, "out/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listTar returns the archive as lines "name=content" or "name->target", in its order.
func listTar(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for tr := tar.NewReader(f); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if hdr.Typeflag == tar.TypeSymlink {
			all = append(all, hdr.Name+"->"+hdr.Linkname)
			continue
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, hdr.Name+"="+strings.TrimSpace(string(text)))
	}
}

func TestArtifacts(t *testing.T) {
	host, _ := os.ReadFile("/etc/hostname")
	hostname := strings.TrimSpace(string(host))
	tests := []struct {
		name    string
		spec    wire.ArtifactSpec
		want    string
		log     []string
		silent  string // what the log must not say
		command string
	}{
		{name: "a file", spec: wire.ArtifactSpec{Files: []string{"app.txt"}}, want: "app.txt=app", log: []string{"Expanding base directory path: .\n", "Assembling file list\n", "Expanding app.txt\n", "Found 1 file(s)\n"}},
		{name: "a directory's files", spec: wire.ArtifactSpec{Files: []string{"out2/*"}}, want: "out2/a.txt=other a"},
		{name: "recursive, dot files too", spec: wire.ArtifactSpec{Files: []string{"**/*"}, BaseDirectory: "out", ExcludePaths: []string{"outside"}},
			want: ".hidden=h a.txt=a b.log=b link=a run.sh=#! sub/a.txt=sub a",
			log:  []string{"dirlink (a symbolic link to a directory is not followed)", "dangling (the symbolic link leads nowhere)", "fifo (it is no regular file)"}},
		{name: "excluded", spec: wire.ArtifactSpec{Files: []string{"out/**/*.txt", "app.txt"}, ExcludePaths: []string{"**/sub/**/*", "app.*"}}, want: "out/a.txt=a"},
		{name: "excluded below base", spec: wire.ArtifactSpec{Files: []string{"**/*.txt"}, BaseDirectory: "out", ExcludePaths: []string{"sub/**"}}, want: "a.txt=a"},
		{name: "discarded paths stay apart", spec: wire.ArtifactSpec{Files: []string{"out/**/a.txt", "out2/*"}, DiscardPaths: true},
			want: "a.txt=a a-2.txt=sub a a-3.txt=other a", log: []string{"the second is packed as a-2.txt"}},
		{name: "base directory is a glob", spec: wire.ArtifactSpec{Files: []string{"*.txt"}, BaseDirectory: "out*"}, want: "a.txt=a a-2.txt=other a"},
		{name: "links as files", spec: wire.ArtifactSpec{Files: []string{"out/link", "out/outside"}}, want: "out/link=a out/outside=" + hostname},
		{name: "links as links", spec: wire.ArtifactSpec{Files: []string{"out/*link", "out/outside", "out/a.txt", "out/sub/*"}, EnableSymlinks: true}, want: "out/a.txt=a out/dirlink->sub out/link->a.txt out/outside=" + hostname + " out/sub/a.txt=sub a",
			log: []string{"Packing what the symbolic link out/outside -> /etc/hostname leads to"}},
		{name: "links whose targets stay behind", spec: wire.ArtifactSpec{Files: []string{"out/*link", "out/dangling"}, EnableSymlinks: true}, want: "out/link=a",
			log: []string{"Packing what the symbolic link out/link -> a.txt leads to", "Leaving out the symbolic link out/dirlink -> sub", "Leaving out the symbolic link out/dangling -> nowhere"}},
		{name: "links and discarded paths", spec: wire.ArtifactSpec{Files: []string{"out/link", "out/a.txt", "deep/up"}, EnableSymlinks: true, DiscardPaths: true},
			command: "mkdir deep; ln -s ../out/a.txt deep/up", want: "up=a a.txt=a link->a.txt", log: []string{"Packing what the symbolic link up -> ../out/a.txt leads to"}},
		{name: "links of links", spec: wire.ArtifactSpec{Files: []string{"l/*"}, EnableSymlinks: true},
			command: "mkdir l; ln -s b l/a; ln -s c l/b; ln -s ../app.txt l/c; ln -s e l/d; ln -s /nowhere l/e; ln -s loop l/loop", want: "l/a->b l/b->c l/c=app"},
		{name: "a link where another base has a directory", spec: wire.ArtifactSpec{Files: []string{"**/*"}, BaseDirectory: "b*", EnableSymlinks: true},
			command: "mkdir -p b1 b2/x; echo 1 >b1/f; ln -s f b1/x; echo 2 >b2/x/g", want: "f=1 x-2=1 x/g=2"},
		{name: "never through a link", spec: wire.ArtifactSpec{Files: []string{"out/**/hostname", "app.txt"}}, want: "app.txt=app", log: []string{"Skipping invalid file path out/**/hostname"}},
		{name: "a missing one is skipped", spec: wire.ArtifactSpec{Files: []string{"missing.txt", "app.txt", "out"}}, want: "app.txt=app",
			log: []string{"Skipping invalid file path missing.txt\n", "Skipping invalid file path out (it is a directory: to take what is in it write out/**/*)"}},
		{name: "matched twice, packed once", spec: wire.ArtifactSpec{Files: []string{"app.txt", "*.txt", "./app.txt"}}, want: "app.txt=app new\nline ü.txt=odd", silent: "Skipping"},
		{name: "variables", spec: wire.ArtifactSpec{Files: []string{"$DIR/${FILE}.txt", "$UNSET/app.txt"}, BaseDirectory: "$BASE", ExcludePaths: []string{"$NOT"}},
			command: "DIR=out; export FILE=a; BASE=$CODEBUILD_SRC_DIR; cd /; exit 0", want: "out/a.txt=a"},
		{name: "absolute, outside of the source", spec: wire.ArtifactSpec{Files: []string{"$D/x/*.txt"}}, command: "D=$HOME/../elsewhere; mkdir -p $D/x; echo 1 >$D/x/1.txt", want: "*elsewhere/x/1.txt=1"},
		{name: "absolute, inside", spec: wire.ArtifactSpec{Files: []string{"$CODEBUILD_SRC_DIR/out/a.txt"}}, want: "out/a.txt=a"},
		{name: "excluded by its whole path", spec: wire.ArtifactSpec{Files: []string{"out/*.txt", "app.txt"}, ExcludePaths: []string{"$CODEBUILD_SRC_DIR/out/**/*", "../elsewhere/*"}}, want: "app.txt=app"},
		{name: "beside the source", spec: wire.ArtifactSpec{Files: []string{"../beside/*"}}, command: "mkdir ../beside; echo 2 >../beside/f", want: "beside/f=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			artifactTree(t, s.src)
			job := s.job()
			if tt.command != "" {
				job.Phases[0].Commands = []string{tt.command}
			}
			job.Artifacts = &tt.spec
			res := s.run(job)
			if res.done.Status != wire.StatusSucceeded {
				t.Fatalf("ended %+v\n%s", res.done, res.log)
			}
			got := listTar(t, filepath.Join(s.spool, wire.ArtifactsFile))
			if rest, some := strings.CutPrefix(tt.want, "*"); some && !strings.HasSuffix(got, rest) || !some && got != tt.want {
				t.Errorf("packed %q, want %q\n%s", got, tt.want, res.log)
			}
			for _, text := range tt.log {
				if !strings.Contains(res.log, text) {
					t.Errorf("the log lacks %q\n%s", text, res.log)
				}
			}
			if tt.silent != "" && strings.Contains(res.log, tt.silent) {
				t.Errorf("the log says %q\n%s", tt.silent, res.log)
			}
			if res.done.Artifacts == nil || res.done.Artifacts.File != wire.ArtifactsFile || res.done.Artifacts.Files != strings.Count(got, "=")+strings.Count(got, "->") {
				t.Errorf("done tells of %+v", res.done.Artifacts)
			}
		})
	}
}

func TestArtifactsThatCannotBe(t *testing.T) {
	tests := []struct {
		name    string
		spec    wire.ArtifactSpec
		limit   int64
		message string
	}{
		{"nothing matches", wire.ArtifactSpec{Files: []string{"missing/*"}}, 0, "no matching artifact paths found"},
		{"all is excluded", wire.ArtifactSpec{Files: []string{"app.txt"}, ExcludePaths: []string{"**/*"}}, 0, "no matching artifact paths found"},
		{"no base directory", wire.ArtifactSpec{Files: []string{"*"}, BaseDirectory: "missing"}, 0, "no matching base directory path found for missing"},
		{"no base directory matches", wire.ArtifactSpec{Files: []string{"*"}, BaseDirectory: "missing*"}, 0, "no matching base directory path found for missing*"},
		{"a malformed pattern", wire.ArtifactSpec{Files: []string{"[a"}}, 0, "malformed"},
		{"too many bytes", wire.ArtifactSpec{Files: []string{"out/*.txt", "out/b.log"}}, 1, "larger than limits.artifacts of 1 bytes"},
		{"a name that is no shell", wire.ArtifactSpec{Files: []string{"app.txt"}, Name: "$(echo"}, 0, "artifacts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			artifactTree(t, s.src)
			job := s.job("true")
			job.Artifacts = &tt.spec
			job.Limits.ArtifactBytes = tt.limit
			res := s.run(job)
			last := res.phases[len(res.phases)-1]
			if last.Status != wire.StatusFailed || last.Code != codeClient || !strings.Contains(last.Message, tt.message) {
				t.Errorf("the phase ended %+v", last)
			}
			reason := "artifacts"
			if tt.limit > 0 {
				reason = wire.ReasonArtifacts
			}
			if res.done.Status != wire.StatusFailed || res.done.Reason != reason || res.done.Artifacts != nil {
				t.Errorf("ended %+v", res.done)
			}
			if _, err := os.Stat(filepath.Join(s.spool, wire.ArtifactsFile)); err == nil {
				t.Error("a part of the artifacts was left behind")
			}
		})
	}
}

func TestAFailedBuildKeepsItsArtifactsAndItsReason(t *testing.T) {
	s := newSandbox(t)
	artifactTree(t, s.src)
	job := s.job("exit 9")
	job.Artifacts = &wire.ArtifactSpec{Files: []string{"app.txt"}}
	res := s.run(job)
	if res.done.Status != wire.StatusFailed || res.done.Exit != 9 || res.done.Artifacts == nil {
		t.Errorf("ended %+v", res.done)
	}
}

func TestTheShellExpandsTheArtifactsName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"plain name", "plain name"},
		{"app-$VERSION-${PLAIN}", "app-1.2-x  y"},
		{`v"quoted"-$(echo "$VERSION" | tr . -)`, `v"quoted"-1-2`},
		{"`echo tick`", "tick"},
		{`\$literal`, "$literal"},
		{"$UNSET", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			artifactTree(t, s.src)
			job := s.job("export VERSION=1.2; PLAIN='x  y'")
			job.Artifacts = &wire.ArtifactSpec{Files: []string{"app.txt"}, Name: tt.name}
			res := s.run(job)
			if res.done.Artifacts == nil || res.done.Artifacts.Name != tt.want {
				t.Errorf("got %+v, want %q\n%s", res.done.Artifacts, tt.want, res.log)
			}
		})
	}
}

func FuzzExpandVars(f *testing.F) {
	f.Add("$A/${B}/$", "x")
	f.Add("${", "")
	f.Add("$(date)${x:-y}", "$A")
	f.Fuzz(func(t *testing.T, text, value string) {
		names := varNames(text)
		values := map[string]string{}
		for _, name := range names {
			values[name] = value
		}
		got := expandVars(text, values)
		if len(names) == 0 && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
