package web

import "testing"

func TestWhatPeopleRead(t *testing.T) {
	for want, got := range map[string]string{
		"0.3 s": took(0.31), "12 s": took(12.9), "59 s": took(59.99), "2m 07s": took(127), "3h 05m": took(3*3600 + 5*60), "3 days": took(3 * 86400),
		"512 B": size(512), "1.4 KiB": size(1434), "23 MiB": size(23 << 20), "1.0 GiB": size(1 << 30),
		"main": refName("refs/heads/main"), "v1.2": refName("refs/tags/v1.2"), "pull request 7": refName("refs/pull/7/head"), "submit": refName("refs/runner/submit/api/1"),
		"1 job": plural(1, "job"), "0 jobs": plural(0, "job"), "/projects/a%20b/builds/3": buildPath("a b#3"), "/": buildPath("nothing"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
