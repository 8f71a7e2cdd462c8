package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// spec writes a buildspec that runs commands in the build phase of the small image.
func spec(commands ...string) string {
	text := "version: 0.2\nenv:\n  image: " + image + "\nphases:\n  build:\n    commands:\n"
	for _, c := range commands {
		text += fmt.Sprintf("      - %q\n", c)
	}
	return text
}

func phaseNames(list []client.Phase) (names []string) {
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

func TestAPushBecomesABuild(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{
		"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
  variables:
    GREETING: hello
phases:
  install:
    commands:
      - WHO=world
  build:
    commands:
      - echo "$GREETING, $WHO"
      - mkdir out && echo binary > out/app && echo "$CODEBUILD_RESOLVED_SOURCE_VERSION" > out/version
  post_build:
    commands:
      - echo "succeeding=$CODEBUILD_BUILD_SUCCEEDING event=$CODEBUILD_WEBHOOK_EVENT trigger=$CODEBUILD_WEBHOOK_TRIGGER"
artifacts:
  base-directory: out
  files:
    - '**/*'
`,
	})
	d := newDaemon(t, online, project("api", url))
	id := d.push(url, commit)
	if id != "api#1" {
		t.Errorf("the first build is called %s, want api#1", id)
	}
	b := d.ended(id, "SUCCEEDED")
	if b.Commit != commit || b.Ref != "refs/heads/main" || !b.Trusted {
		t.Errorf("build of %s on %s, trusted %t; want %s on refs/heads/main, trusted", b.Commit, b.Ref, b.Trusted, commit)
	}
	log := d.logs(b)
	for _, want := range []string{
		"hello, world", "succeeding=1 event=PUSH trigger=branch/main",
		"Running command echo", "Phase complete: BUILD State: SUCCEEDED", "Entering phase POST_BUILD",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	want := []string{"PROVISIONING", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"}
	if got := phaseNames(b.Jobs[0].Phases); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("the job's phases are %v, want them to begin with %v", got, want)
	}
	sets, err := d.Artifacts(t.Context(), id)
	if err != nil || len(sets) != 1 || len(sets[0].Files) != 2 {
		t.Fatalf("artifacts are %+v (%v), want one set with app and version", sets, err)
	}
	f, err := d.ArtifactFile(t.Context(), id, sets[0].Job, "version")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, _ := io.ReadAll(f); strings.TrimSpace(string(text)) != commit {
		t.Errorf("the file version holds %q, want the commit %s", text, commit)
	}
	assertNothingLeft(t, d)
}

// assertNothingLeft waits for the sandboxes to go, which happens after a result is shown.
func assertNothingLeft(t *testing.T, d *daemon) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		left := d.containers("-a")
		entries, _ := os.ReadDir(filepath.Join(d.data(), "sandboxes"))
		if len(left) == 0 && len(entries) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: containers %v, directories %v", left, entries)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestShardsShareTheTestsAndTheFailingOneNamesItself(t *testing.T) {
	t.Parallel()
	files := map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: false
  build-fanout:
    parallelism: 4
phases:
  build:
    commands:
      - codebuild-tests-run --test-command 'sh run.sh' --files-search "codebuild-glob-search 'tests/**/*_test.sh'"
artifacts:
  files: ['ran-*']
`, "run.sh": "for f in \"$@\"; do echo \"ran $f\"; touch \"ran-$(basename $f)\"; sh $f || exit 1; done\n"}
	for i := range 10 {
		files[fmt.Sprintf("tests/t%02d_test.sh", i)] = "exit 0\n"
	}
	files["tests/t07_test.sh"] = "echo broken here; exit 3\n"
	git := newGitServer(t)
	_, url, commit := git.repo("shards", files)
	d := newDaemon(t, online+"slots: 4\n", project("shards", url))
	b := d.ended(d.push(url, commit), "FAILED")
	if len(b.Jobs) != 4 {
		t.Fatalf("the build has %d jobs, want 4", len(b.Jobs))
	}
	seen := make(map[string]int)
	var failed []string
	for _, j := range b.Jobs {
		log := d.jobLog(b.ID, j.ID)
		for i := range 10 {
			if name := fmt.Sprintf("ran tests/t%02d_test.sh", i); strings.Contains(log, name+"\n") {
				seen[name]++
			}
		}
		if j.Status == "FAILED" {
			failed = append(failed, j.Name)
		}
	}
	if len(failed) != 1 || !strings.Contains(b.Message, failed[0]) {
		t.Errorf("failed shards are %v and the build says %q; want one, by name", failed, b.Message)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s ran %d times over the shards, want once", name, n)
		}
	}
	archive, err := d.Archive(t.Context(), b.ID, "", "zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	data, err := io.ReadAll(archive)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	// A failed BUILD never prevents the upload: the failing shard left what it had made.
	if len(z.File) < 8 {
		t.Errorf("the archive of all shards holds %d files, want those of every test that ran", len(z.File))
	}
}

func TestOneFailedShardStopsTheOthersUnderFastFail(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("ff", map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: true
  build-fanout:
    parallelism: 2
phases:
  build:
    commands:
      - if [ "$CODEBUILD_BATCH_BUILD_IDENTIFIER" = BuildFanoutShard1 ]; then exit 1; fi
      - sleep 120
`})
	d := newDaemon(t, "slots: 2\n", project("ff", url))
	began := time.Now()
	b := d.ended(d.push(url, commit), "FAILED")
	if took := time.Since(began); took > 60*time.Second {
		t.Errorf("fast-fail took %s", took)
	}
	if s := b.Jobs[1]; s.Status != "STOPPED" || s.Reason != "fast_fail" {
		t.Errorf("the sibling ended %s (%s), want STOPPED (fast_fail)", s.Status, s.Reason)
	}
}

func TestStopEndsABuildAndEverythingItStarted(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("long", map[string]string{"buildspec.yml": spec("trap '' TERM; sleep 300 & sleep 300")})
	d := newDaemon(t, online, project("long", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	out, errs, exit := d.runCLI(t.TempDir(), "stop", id)
	if exit != 0 {
		t.Fatalf("runner stop exited %d: %s%s", exit, out, errs)
	}
	if b := d.ended(id, "STOPPED"); b.Message == "" {
		t.Error("the stopped build does not say who stopped it")
	}
	assertNothingLeft(t, d)
}

func (d *daemon) awaitPhase(id, phase string) {
	d.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		b, err := d.Client.Build(d.t.Context(), id)
		if err == nil && len(b.Jobs) > 0 && b.Jobs[0].Phase == phase && b.Jobs[0].Command != "" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	d.t.Fatalf("build %s did not reach %s", id, phase)
}

func TestATimeLimitEndsABuild(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("slow", map[string]string{"buildspec.yml": spec("sleep 300") + "  post_build:\n    commands: [echo never]\n"})
	d := newDaemon(t, "", project("slow", url, "limits: {timeout: 3s}"))
	b := d.ended(d.push(url, commit), "TIMED_OUT")
	if strings.Contains(d.logs(b), "never") {
		t.Error("POST_BUILD ran after the time-out")
	}
}

func TestRetryRunsTheSameCommitAndFailedAloneTakesOverTheRest(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("retry", map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  build-fanout:
    parallelism: 2
phases:
  build:
    commands:
      - test "$CODEBUILD_BATCH_BUILD_IDENTIFIER" = BuildFanoutShard1 || test "$CODEBUILD_BUILD_NUMBER" -gt 1
`})
	d := newDaemon(t, "slots: 2\n", project("retry", url))
	d.ended(d.push(url, commit), "FAILED")
	b := d.ended(d.retried("retry#1", true), "SUCCEEDED")
	if b.RetryOf != "retry#1" || b.Commit != commit {
		t.Errorf("the retry is of %s at %s, want retry#1 at %s", b.RetryOf, b.Commit, commit)
	}
	if b.Jobs[0].Attempt != 1 || b.Jobs[1].Attempt != 1 || !b.Jobs[0].Ended.Before(b.Jobs[1].Started) {
		t.Errorf("the shard that had succeeded was run again: %+v", b.Jobs)
	}
	if first, err := d.Build(t.Context(), "retry#1"); err != nil || b.Jobs[0].TakenFrom != first.ID || b.Jobs[0].Seconds != first.Jobs[0].Seconds || b.Jobs[1].TakenFrom != "" {
		t.Errorf("the jobs do not say what was taken over, or took another time than then: %+v, %v", b.Jobs, err)
	}
	if _, err := d.Retry(t.Context(), b.ID, true); err == nil || !strings.Contains(err.Error(), "nothing failed") {
		t.Errorf("retrying the failed jobs of a green build: %v; want that nothing failed", err)
	}
}

func TestTheDefaultBranchOfTheRemoteIsTrusted(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("true")})
	if _, err := repo.Git(t.Context(), "branch", "topic"); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "", strings.Replace(project("api", url), "    branch: main\n", "", 1))
	if b := d.ended(d.push(url, commit), "SUCCEEDED"); !b.Trusted {
		t.Error("a push to the branch that the remote's HEAD names is not trusted")
	}
	if b := d.ended(d.pushTo(url, "refs/heads/topic", commit), "SUCCEEDED"); b.Trusted {
		t.Error("a push to another branch is trusted")
	}
}

func TestDeliveriesAreTakenOnce(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("true")})
	d := newDaemon(t, "", project("api", url))
	h := pushOf(url, "refs/heads/main", commit)
	first, a := d.send(h)
	again, b := d.send(h)
	if first != http.StatusAccepted || again != http.StatusAccepted || a["trigger"] != b["trigger"] {
		t.Errorf("a delivery and its repetition were answered %d %v and %d %v; want the same trigger twice", first, a, again, b)
	}
	d.ended("api#1", "SUCCEEDED")
	if page, _ := d.Builds(t.Context(), client.ListOptions{}); len(page.Items) != 1 {
		t.Errorf("%d builds were made, want one", len(page.Items))
	}

	gone := pushOf(url, "refs/heads/gone", strings.Repeat("0", 40))
	if status, answer := d.send(gone); status != http.StatusAccepted {
		t.Errorf("a branch deletion was answered %d %v, want 202", status, answer)
	} else if tr, err := d.WaitTrigger(t.Context(), answer["trigger"].(string)); err != nil || tr.Outcome != "skipped" {
		t.Errorf("a branch deletion ended as %s (%s, %v), want skipped", tr.Outcome, tr.Reason, err)
	}

	forged := pushOf(url, "refs/heads/main", commit)
	forged.secret = "a guess"
	stranger := pushOf("https://example.com/nobody.git", "refs/heads/main", commit)
	s1, a1 := d.send(forged)
	s2, a2 := d.send(stranger)
	if s1 != http.StatusUnauthorized || s2 != http.StatusUnauthorized || fmt.Sprint(a1) != fmt.Sprint(a2) {
		t.Errorf("a wrong signature got %d %v, an unknown repository %d %v; want the same 401", s1, a1, s2, a2)
	}
}

func TestAForksPullRequestWaitsAndAnOwnOneBuildsItsHead(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{"buildspec.yml": spec("echo main")})
	ctx := t.Context()
	for _, args := range [][]string{{"checkout", "-q", "-b", "feature"}} {
		if _, err := repo.Git(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := repo.Write("buildspec.yml", spec("echo from the pull request $CODEBUILD_WEBHOOK_TRIGGER $CODEBUILD_SOURCE_VERSION")); err != nil {
		t.Fatal(err)
	}
	head, err := repo.Commit(ctx, "a feature")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(ctx, "push", "-q", "origin", "HEAD:refs/pull/7/head"); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "", project("api", url))
	own := pullRequest(url, url, head)
	status, answer := d.send(own)
	if status != http.StatusAccepted {
		t.Fatalf("a pull request was answered %d %v", status, answer)
	}
	tr, err := d.WaitTrigger(ctx, answer["trigger"].(string))
	if err != nil || len(tr.Builds) != 1 {
		t.Fatalf("the pull request made %v (%s %s, %v), want one build", tr.Builds, tr.Outcome, tr.Reason, err)
	}
	b := d.ended(tr.Builds[0], "SUCCEEDED")
	if log := d.logs(b); b.Trusted || !strings.Contains(log, "from the pull request pr/7 pr/7") {
		t.Errorf("trusted %t, log:\n%s", b.Trusted, log)
	}
	_, answer = d.send(pullRequest(url, "https://example.com/stranger/api.git", head))
	tr, err = d.WaitTrigger(ctx, answer["trigger"].(string))
	if err != nil || tr.Outcome != "waiting" || len(tr.Builds) != 0 {
		t.Errorf("a fork's pull request ended as %s with %v (%v), want it to wait", tr.Outcome, tr.Builds, err)
	}
	if _, err := d.Approve(ctx, tr.ID, head); err != nil {
		t.Fatal(err)
	}
	if tr, err = d.WaitTrigger(ctx, tr.ID); err != nil || len(tr.Builds) != 1 || tr.ApprovedBy == "" {
		t.Fatalf("approved, it made %v (%s %s, %v), want one build", tr.Builds, tr.Outcome, tr.Reason, err)
	}
	if b = d.ended(tr.Builds[0], "SUCCEEDED"); b.Trusted || b.Commit != head {
		t.Errorf("the approved build is of %s, trusted %t", b.Commit, b.Trusted)
	}
}

func pullRequest(base, head, sha string) delivery {
	h := pushOf(base, "", sha)
	h.event = "pull_request"
	other := repository(head)
	if head != base {
		other["id"], other["full_name"] = 2, "stranger/api"
	}
	h.payload = map[string]any{
		"action": "opened", "number": 7, "repository": repository(base), "sender": map[string]any{"login": "ada", "id": 7},
		"pull_request": map[string]any{
			"number": 7, "title": "a feature", "state": "open",
			"user": map[string]any{"login": "ada", "id": 7},
			"head": map[string]any{"ref": "feature", "sha": sha, "repo": other, "user": map[string]any{"login": "ada"}},
			"base": map[string]any{"ref": "main", "sha": strings.Repeat("1", 40), "repo": repository(base), "user": map[string]any{"login": "acme"}},
		},
	}
	return h
}
