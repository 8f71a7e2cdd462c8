package forge

import (
	"slices"
	"testing"
)

func TestRepositoryKeyIsTheSameForAllAddressesOfOneRepository(t *testing.T) {
	for want, addresses := range map[string][]string{
		"github.com/example/api": {
			"https://github.com/example/api.git", "https://github.com/example/api", "https://github.com/example/api/",
			"http://GitHub.com/Example/API.git", "https://ada@github.com:443/example/api.git", "git://github.com/example/api.git",
			"git@github.com:example/api.git", "github.com:example/api", "ssh://git@github.com/example/api.git",
			"ssh://git@github.com:22/example/api", " https://github.com/example/api.git\n", "https://github.com./example/api",
		},
		"127.0.0.1:3999/demo":           {"http://127.0.0.1:3999/demo.git", "http://127.0.0.1:3999/demo"},
		"git.example.com:2222/team/app": {"ssh://git@git.example.com:2222/team/app.git"},
		"[::1]:8080/app":                {"http://[::1]:8080/app.git"},
		"[::1]/app":                     {"git@[::1]:app.git", "ssh://git@[::1]:22/app"},
		"file:///srv/git/app":           {"file:///srv/git/app.git", "file:///srv/git/app/", "file://localhost/srv/git/app"},
		"":                              {"", "nonsense", "https://github.com", "https://", "http://%zz/x", "/srv/git/app", "git@host"},
	} {
		for _, address := range addresses {
			if got := RepositoryKey(address); got != want {
				t.Errorf("RepositoryKey(%q) = %q, want %q", address, got, want)
			}
		}
	}
}

func TestDifferentRepositoriesHaveDifferentKeys(t *testing.T) {
	addresses := []string{
		"https://github.com/example/api.git", "https://github.com/example/api2.git", "https://gitlab.com/example/api.git",
		"https://github.com:8443/example/api.git", "https://github.com/example", "ssh://git@github.com:443/example/api",
	}
	seen := map[string]string{}
	for _, address := range addresses {
		key := RepositoryKey(address)
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s have the same key %q", address, other, key)
		}
		seen[key] = address
	}
}

func TestKeysHoldNoRepeatsAndNothingEmpty(t *testing.T) {
	r := Repository{URLs: []string{"https://github.com/a/b.git", "git@github.com:a/b.git", "", "http://host:81/a/b"}}
	if got, want := r.Keys(), []string{"github.com/a/b", "host:81/a/b"}; !slices.Equal(got, want) {
		t.Errorf("Keys() = %q, want %q", got, want)
	}
}

func FuzzRepositoryKey(f *testing.F) {
	for _, s := range []string{"https://github.com/a/b.git", "git@github.com:a/b", "file:///x", "://", "[::1]:a", "@:", "http://[::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		key := RepositoryKey(address)
		if key == "" {
			return
		}
		if key[0] == '/' || key[len(key)-1] == '/' {
			t.Errorf("RepositoryKey(%q) = %q: host or path is missing", address, key)
		}
	})
}
