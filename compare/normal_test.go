package compare

import (
	"bytes"
	"strings"
	"testing"
)

// TestNormal holds pairs of lines that are the same in two runs, with what both become.
func TestNormal(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"nothing here differs", "nothing here differs  \t", "nothing here differs"},
		{"\x1b[32mok\x1b[0m", "ok", "ok"},
		{"10%\r20%\r30% done", "30% done\r", "30% done"},
		{"[Container] 2026/11/26 06:29:03.037273 Entering phase BUILD", "[Container] 2027/01/02 16:29:03.1 Entering phase BUILD", "[Container] <time> Entering phase BUILD"},
		{"[Container] 2026/11/26 06:29:03.037273  BUILD: 1 commands", "[Container] 2026/11/26 06:29:03.037273  BUILD: 2 commands", "[Container] <time>  BUILD: <n>"},
		{"2026-11-26T06:25:20.123Z INFO up", "2026-12-01T16:25:20Z INFO up", "<time> INFO up"},
		{"at 2026-11-26 06:25:20,123 +0200", "at 2026-11-26 07:25:21,5 +0100", "at <time>"},
		{"on 2026-11-26", "on 2027-11-26", "on <time>"},
		{"begin Thu Nov 26 06:29:03 UTC 2026 in x", "begin Fri Nov  7 16:29:03 CET 2026 in x", "begin <time> in x"},
		{"Date: Thu, 26 Nov 2026 06:25:20 GMT", "Date: Fri, 27 Nov 2026 06:25:21 GMT", "Date: <time>"},
		{"Nov 26 06:25:20 host sshd", "Dec  1 16:25:20 host sshd", "<time> host sshd"},
		{`1.2.3.4 [26/Nov/2026:06:25:20 +0000] "GET /"`, `1.2.3.4 [27/Nov/2026:16:25:20 +0000] "GET /"`, `1.2.3.4 [<time>] "GET /"`},
		{"epoch 1764138320", "epoch 1764138321", "epoch <time>"},
		{"ts=1764138320123", "ts=1764138320999", "ts=<time>"},
		{"--- FAIL: TestOne (0.12s)", "--- FAIL: TestOne (13.00s)", "--- FAIL: TestOne (<duration>)"},
		{"ok  \tpkg/store\t0.012s", "ok  \tpkg/store\t(cached)", "ok  \tpkg/store\t<duration>"},
		{"3 passed in 1.2 s", "3 passed in 14 s", "3 passed in <duration>"},
		{"real\t0m1.234s", "real\t12m0.5s", "real\t<duration>"},
		{"took 1h 2m 3s.", "took 59 seconds.", "took <duration>."},
		{"12.5µs per call", "900ns per call", "<duration> per call"},
		{"Total time:  01:23 min", "Total time:  12.345 s", "Total time:  <duration>"},
		{"at 3.4 MiB/s", "at 512kB/s", "at <rate>"},
		{"commit 9c81d22e", "commit a1b2c3d", "commit <id>"},
		{"id 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "id 6BA7B811-9DAD-11D1-80B4-00C04FD430C8", "id <id>"},
		{"sha256:" + strings.Repeat("a1", 32), "sha256:" + strings.Repeat("b2", 32), "sha256:<id>"},
		{"panic at 0xc000123456 +0x1d4", "panic at 0xc000f00000 +0x2", "panic at <id> +<id>"},
		{"in /tmp/tmp.3qJZ5v", "in /tmp/tmp.QQ", "in /tmp/<tmp>"},
		{"open '/tmp/TestOne123/001/file': no", "open '/tmp/TestOne98/001/file': no", "open '/tmp/<tmp>/001/file': no"},
		{"/var/folders/x1/abc/T/go-build1/b1", "/var/folders/x2/abd/T/go-build22/b1", "/tmp/<tmp>/b1"},
		{"listening on 127.0.0.1:43567", "listening on 127.0.0.1:30001", "listening on 127.0.0.1:<port>"},
		{"GET http://localhost:51234/x", "GET http://localhost:51235/x", "GET http://localhost:<port>/x"},
		{"[::1]:51234", "[::1]:51235", "[::1]:<port>"},
		{"dial 172.17.0.5:5432", "dial 172.18.0.9:5432", "dial <address>:5432"},
		{"pid 1234 exited", "pid 99 exited", "pid <n> exited"},
		{"goroutine 17 [running]:", "goroutine 5 [running]:", "goroutine <n> [running]:"},
		{"-test.shuffle 1764138320", "-test.shuffle 5", "-test.shuffle <n>"},
		{"web-1  | ready", "web-12 | ready", "web | ready"},
		{"#12 0.345 apt-get update", "#9 10.2 apt-get update", "#<n> <duration> apt-get update"},
		{"a_test.py ....   [ 45%]", "a_test.py ....   [100%]", "a_test.py ....   <percent>"},
		{"Downloading [====>     ] 12.3MB/45MB", "Downloading [========> ] 40MB/45MB", "Downloading <progress> <n>/<n>"},
		{"   ━━━━━━━━━━━╸ 1.2/3.4 MB", "   ━━━━━━━━━━ 2.2/3.4 MB", "   <progress><n>/<n> MB"},
	} {
		for _, line := range []string{c.a, c.b} {
			got := string(Normal(nil, []byte(line)))
			if time, id := strings.ReplaceAll(got, "<time>", "<n>"), strings.ReplaceAll(got, "<address>", "<id>"); got != c.want && time != c.want && id != c.want {
				t.Errorf("Normal(%q)\n = %q\nwant %q", line, got, c.want)
			}
		}
	}
}

// TestNormalKeepsWhatMatters holds lines of which nothing may be taken.
func TestNormalKeepsWhatMatters(t *testing.T) {
	for _, line := range []string{
		"main.go:12:30: undefined: x", "main.go:12345: too long", "cache_test.go:88:", "got 3, want 4", "HTTP 404", "port=8080",
		"listening on :8080", "golang:1.26", "v1.2.3", "add added deadbeef facade", "1234567 rows", "coverage: 45.2% of statements",
		"|------|------|", "x = [1, 2, 3]", "3 m of cable", "4 h", "10 GB", "/home/tmp/x", "a/tmp/x", "Mon", "May 12", "Marching 12",
		"retry 3s2", "12:30", "1.2.3.4", "exit status 1", "[ ] todo", "0x", "0xyz", "#12", "# 12",
	} {
		if got := string(Normal(nil, []byte(line))); got != line {
			t.Errorf("Normal(%q) = %q", line, got)
		}
	}
}

// FuzzNormal holds that whatever a job prints, a line becomes a line without escape sequences, of bounded length, the same each
// time, whatever stands before it; and that one with nothing in it that could differ is left alone.
func FuzzNormal(f *testing.F) {
	for _, seed := range []string{
		"[Container] 2026/11/26 06:29:03.037273 Entering phase BUILD", "\x1b[32mok\x1b[0m 1.2 s", "[=====>  ] 45% 12.3MB/s\r", "#1 0.1 x",
		"web-1 | 172.17.0.2:12345 0xdeadbeef", "Thu, 26 Nov 2026 06:25:20 GMT", "/var/folders/", "1:02:03.", "━━━━━━━", "1m2s3", "\x1b", ":12345", "\x9b1m",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got := Normal(nil, line)
		if len(got) > 8*len(line)+16 {
			t.Errorf("%d bytes become %d", len(line), len(got))
		}
		if again := Normal([]byte("before"), line); !bytes.Equal(again, append([]byte("before"), got...)) {
			t.Errorf("%q, and behind other bytes %q", got, again)
		}
		if bytes.ContainsAny(got, "\x1b\r") {
			t.Errorf("%q has control characters", got)
		}
		if !bytes.ContainsAny(line, "0123456789\x1b\r\n[|(/<") && bytes.IndexFunc(line, func(r rune) bool { return r >= 0x80 || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' }) < 0 {
			if want := bytes.TrimRight(line, " \t"); !bytes.Equal(got, want) {
				t.Errorf("%q became %q", line, got)
			}
		}
	})
}
