package source

import (
	"maps"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"
)

func TestTipsAreTheCommitsOfBranchesAndTags(t *testing.T) {
	r, _, remote := served(t)
	r.write("a", "1")
	first := r.commit("one")
	r.git("tag", "light")
	r.git("tag", "-a", "-m", "annotated", "v1")
	r.git("tag", "-a", "-m", "a tag of a tag", "v1-again", "v1")
	r.git("branch", "dev")
	r.write("a", "2")
	second := r.commit("two")
	r.git("update-ref", "refs/pull/1/head", first)
	want := map[string]string{
		"refs/heads/main": second, "refs/heads/dev": first, "refs/tags/light": first, "refs/tags/v1": first, "refs/tags/v1-again": first,
	}
	signer, key := newKey(t)
	server := serveSSH(t, filepath.Dir(r.dir), signer.PublicKey())
	for name, from := range map[string]Remote{
		"HTTP": remote,
		"SSH":  {URL: "ssh://git@" + server.addr + "/origin/.git", SSHKey: key, KnownHosts: []byte(knownhosts.Line([]string{server.addr}, server.key))},
		"file": {URL: "file://" + r.dir, AllowFile: true},
	} {
		got, err := open(t).Tips(t.Context(), from)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("over %s the tips are %v (%v), want %v", name, got, err, want)
		}
	}
}

func TestTipsOfARepositoryWithoutCommits(t *testing.T) {
	r := newRepo(t)
	g := serve(t, filepath.Dir(r.dir))
	if got, err := open(t).Tips(t.Context(), Remote{URL: g.url(r)}); err != nil || len(got) != 0 {
		t.Errorf("tips %v, %v; want none", got, err)
	}
}
