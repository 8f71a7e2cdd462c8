package e2e

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/enginetest"
)

// TestImagesOfCodeBuildAreTakenFromWhereTheAliasSays has a mirror of CodeBuild's images: jobs and services that name
// one by CodeBuild's own name get the mirror's, and so does a retry that must pull it again.
func TestImagesOfCodeBuildAreTakenFromWhereTheAliasSays(t *testing.T) {
	t.Parallel()
	mirror := enginetest.Registry(t, "", "") + "/codebuild/"
	for _, name := range []string{"standard:7.0", "database:1"} {
		makeImage(t, mirror+name, name)
		docker(t, "push", "-q", mirror+name)
		loseImage(t, mirror+name)
	}
	git := newGitServer(t)
	files := inImage("aws/codebuild/standard:7.0", "echo inside $MADE, told $CODEBUILD_BUILD_IMAGE")
	files["buildspec.yml"] += "x-runner:\n  services:\n    db: {image: 'aws/codebuild/database:1', command: sleep 1000}\n"
	_, url, commit := git.repo("curated", files)
	d := newDaemon(t, online+"image-aliases:\n  aws/codebuild/*: "+mirror+"*\n", project("curated", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	loseImage(t, mirror+"standard:7.0")
	d.ended(d.retried("curated#1", false), "SUCCEEDED")
	for _, id := range []string{"curated#1", "curated#2"} {
		b := d.build(id)
		if log := d.logs(b); !strings.Contains(log, "inside standard:7.0, told aws/codebuild/standard:7.0\n") {
			t.Errorf("%s did not run in the mirror's image:\n%s", id, log)
		}
		want := "image-aliases: this build uses " + mirror + "database:1 for aws/codebuild/database:1, " + mirror + "standard:7.0 for aws/codebuild/standard:7.0"
		if len(b.Warnings) != 1 || b.Warnings[0] != want {
			t.Errorf("the warnings of %s are %q, want %q", id, b.Warnings, want)
		}
	}
	assertNothingLeft(t, d)
}

// TestAnImageOfTheEngineGoesBeforeAnAlias is for people who made CodeBuild's images themselves, as AWS describes it.
func TestAnImageOfTheEngineGoesBeforeAnAlias(t *testing.T) {
	t.Parallel()
	const ref = "aws/codebuild/made-here:1.0"
	makeImage(t, ref, "here")
	git := newGitServer(t)
	_, url, commit := git.repo("own", inImage(ref, "echo inside $MADE"))
	_, other, same := git.repo("always", inImage(ref, "echo inside $MADE"))
	d := newDaemon(t, "image-aliases:\n  aws/codebuild/*: 127.0.0.1:1/nobody/*\n", project("own", url), project("always", other, "pull: always"))
	if b := d.ended(d.push(url, commit), "SUCCEEDED"); len(b.Warnings) != 0 || !strings.Contains(d.logs(b), "inside here\n") {
		t.Errorf("warnings %q, log:\n%s", b.Warnings, d.logs(b))
	}
	b := d.ended(d.push(other, same), "FAULT")
	if b.Reason != "image_pull" || !strings.HasPrefix(b.Message, "127.0.0.1:1/nobody/made-here:1.0 is taken for "+ref) {
		t.Errorf("it ended %s: %s", b.Reason, b.Message)
	}
}

// TestJobsOfOtherSystemsAreRefusedAlone runs what can be run of a batch that is written for Windows and macOS too.
func TestJobsOfOtherSystemsAreRefusedAlone(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("mixed", map[string]string{
		"buildspec.yml": "version: 0.2\nenv: {image: " + image + "}\nbatch:\n  build-list:\n" +
			"    - {identifier: linux}\n" +
			"    - {identifier: windows, buildspec: windows.yml, env: {type: WINDOWS_SERVER_2022_CONTAINER, image: 'aws/codebuild/windows-base:2022-1.0'}}\n" +
			"    - {identifier: shell, buildspec: windows.yml, ignore-failure: true}\n" +
			"    - {identifier: mac, env: {type: MAC_ARM}, ignore-failure: true}\n" +
			"phases: {build: {commands: [echo ran here]}}\n",
		"windows.yml": "version: 0.2\nenv: {shell: powershell.exe}\nphases: {build: {commands: [Get-Date]}}\n",
	})
	d := newDaemon(t, "", project("mixed", url))
	b := d.ended(d.push(url, commit), "FAILED")
	if b.Reason != "environment_type" || !strings.HasPrefix(b.Message, "windows: windows asks for the environment type WINDOWS_SERVER_2022_CONTAINER") {
		t.Errorf("it ended %s: %s", b.Reason, b.Message)
	}
	for i, want := range []string{"SUCCEEDED ", "FAILED environment_type", "FAILED shell", "FAILED environment_type"} {
		if j := b.Jobs[i]; j.Status+" "+j.Reason != want {
			t.Errorf("%s ended %s (%s: %s), want %s", j.ID, j.Status, j.Reason, j.Message, want)
		}
	}
	if len(b.Warnings) != 3 {
		t.Errorf("the warnings are %q, want one each for the types and the shell", b.Warnings)
	}
}
