package buildspec

import (
	"slices"
	"strings"
	"testing"
)

func TestImageTags(t *testing.T) {
	commit := "0123456789abcdef0123456789abcdef01234567"
	all := []string{"{commit}", "{commit.short}", "{branch}", "{tag}", "{semver}", "{semver.major}", "v{semver.major}.{semver.minor}.{semver.patch}", "{build}-x", "latest"}
	for name, tt := range map[string]struct {
		values TagValues
		want   string
		left   []string // beginnings of what is told
	}{
		"branch": {TagValues{Commit: commit, Branch: "main", Build: 7}, commit + " 0123456789ab main 7-x latest", []string{
			"the tag {tag} is left out: this is no build of a tag", "the tag {semver} is", "the tag {semver.major} is", "the tag v{semver.major}.",
		}},
		"version": {TagValues{Commit: commit, Tag: "v1.20.3", Build: 8}, commit + " 0123456789ab v1.20.3 1.20.3 1 8-x latest",
			[]string{"the tag {branch} is left out: this is no build of a branch"}},
		"before the release": {TagValues{Commit: commit, Tag: "2.0.0-rc.1+linux", Build: 9}, commit + " 0123456789ab 2.0.0-rc.1-linux 2.0.0-rc.1_linux 9-x latest", []string{
			"the tag {branch}", "the tag {semver.major} is left out: the tag 2.0.0-rc.1+linux is of a version before its release", "the tag v{semver.major}",
		}},
		"no version": {TagValues{Commit: commit, Tag: "nightly/01.2.3", Build: 9}, commit + " 0123456789ab nightly-01.2.3 9-x latest", []string{
			"the tag {branch}", `the tag {semver} is left out: the tag "nightly/01.2.3" is no version like v1.2.3`, "the tag {semver.major}", "the tag v{semver.major}",
		}},
		"odd branch": {TagValues{Commit: commit, Branch: ".-feature/ä b#1/", Build: 1}, commit + " 0123456789ab feature-b-1 1-x latest",
			[]string{"the tag {tag}", "the tag {semver}", "the tag {semver.major}", "the tag v{semver.major}"}},
	} {
		tags, left, err := ImageTags(all, tt.values)
		want := strings.Fields(tt.want)
		if err != nil || !slices.Equal(tags, want) {
			t.Errorf("%s: %q, want %q (%v)", name, tags, want, err)
		}
		for i, text := range tt.left {
			if i >= len(left) || !strings.HasPrefix(left[i], text) {
				t.Errorf("%s: told of what is left out: %q, want one like %q", name, left, text)
			}
		}
	}
	long := strings.Repeat("b", 120)
	if _, _, err := ImageTags([]string{"{branch}-{branch}"}, TagValues{Branch: long}); err == nil || !strings.Contains(err.Error(), "at most 128") {
		t.Errorf("a tag of 241 characters is %v", err)
	}
	if tags, _, err := ImageTags([]string{"{branch}"}, TagValues{Branch: strings.Repeat("b", 300)}); err != nil || len(tags[0]) != 128 {
		t.Errorf("a long branch becomes %q, %v", tags, err)
	}
	if tags, left, err := ImageTags([]string{"{branch}"}, TagValues{Branch: "ä/ö"}); err != nil || len(tags) != 0 || len(left) != 1 {
		t.Errorf("a branch without one letter of a tag's becomes %q, %q, %v", tags, left, err)
	}
}

func TestVariableOfAnImage(t *testing.T) {
	if got := (Image{Name: "web-ui"}).Variable(); got != "RUNNER_IMAGE_WEB_UI_DIGEST" {
		t.Error(got)
	}
}
