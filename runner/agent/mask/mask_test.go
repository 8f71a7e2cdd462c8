package mask

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

const (
	token = "s3cr3t/Tok en+42"
	key   = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n}\n-----END KEY-----\n"
)

func TestSecretsAreHidden(t *testing.T) {
	long := strings.Repeat("a long secret, ", 12)
	tests := []struct{ name, text, want string }{
		{"nothing", "hello\n", "hello\n"},
		{"plain", "token=" + token + ".\n", "token=***.\n"},
		{"twice", token + token, "******"},
		{"a prefix of it is no secret", token[:8] + "\n", token[:8] + "\n"},
		{"lines of a key", "x\nMIIEvQIBADANBg\r\n}\n", "x\n***\r\n}\n"},
		{"the whole key", "<" + key + ">", "<***>"},
		{"query escape", "?q=" + url.QueryEscape(token), "?q=***"},
		{"path escape", "/" + strings.ReplaceAll(url.QueryEscape(token), "+", "%20"), "/***"},
		{"small escapes", strings.ToLower("%2F") + " s3cr3t%2fTok%20en%2b42", "%2f ***"},
		{"base64", base64.StdEncoding.EncodeToString([]byte(token)) + "\n", "***\n"},
		{"base64 with its newline", base64.StdEncoding.EncodeToString([]byte(token + "\n"))[:21] + "\n", "***\n"},
		{"basic auth", "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+token)), ""},
		{"alignment 1", base64.StdEncoding.EncodeToString([]byte("x" + token + "yyy")), ""},
		{"wrapped", wrap(base64.StdEncoding.EncodeToString([]byte(long))), "***\n***\n***\n***\n"},
		{"in JSON", `{"key":"-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n}\n-----END KEY-----\n"}`, `{"key":"***"}`},
		{"quotes in JSON", `"sa\"y <&>\""`, `"***"`},
		{"quotes in JSON for HTML", `"sa\"y \u003c\u0026\u003e\""`, `"***"`},
		{"overlapping", "abcdef!", "***!"},
		{"the longer of two", "prefix-and-more", "***"},
		{"the shorter of two", "prefix-and-mor", "***-and-mor"},
		{"too short to mask", "ab", "ab"},
	}
	m := New([]string{token, key, long, "abcd", "cdef", "prefix", "prefix-and-more", "ab", "", `sa"y <&>"`})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := m.String(tt.text)
			if tt.want != "" && got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == "" && (!strings.Contains(got, stars) || strings.Contains(got, "cjN0L1Rva")) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func wrap(text string) string {
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + "\n")
		text = text[76:]
	}
	return b.String() + text + "\n"
}

func TestEveryAlignmentOfBase64IsHidden(t *testing.T) {
	const secret = "correct horse battery"
	m := New([]string{secret})
	for lead := range 7 {
		for tail := range 4 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("p", lead) + secret + strings.Repeat("q", tail)))
			got := m.String(text)
			// At most one character at each edge, which the secret shares with its neighbours, may remain.
			rest, _ := base64.StdEncoding.DecodeString(strings.ReplaceAll(got, stars, ""))
			if !strings.Contains(got, stars) || strings.Contains(string(rest), "horse") {
				t.Errorf("lead %d, tail %d: %s became %s", lead, tail, text, got)
			}
		}
	}
}

// A token in a basic-auth header is what people pipe through base64, which breaks lines.
func TestBase64BrokenAnywhereIsHidden(t *testing.T) {
	const secret = "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
	m := New([]string{secret})
	for lead := range 120 {
		text := wrap(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("~", lead) + secret + "~~~~")))
		shown := strings.NewReplacer(stars, "\x00", "\n", "\x00").Replace(m.String(text))
		for part := range strings.SplitSeq(shown, "\x00") {
			for from := range 4 {
				rest, _ := base64.RawStdEncoding.DecodeString(part[min(from, len(part)):])
				for i := 0; i+8 <= len(rest); i++ {
					if strings.Contains(secret, string(rest[i:i+8])) {
						t.Fatalf("lead %d: %q shows in %q", lead, rest[i:i+8], m.String(text))
					}
				}
			}
		}
	}
}

func TestOutputInPiecesIsMaskedAsInOne(t *testing.T) {
	m := New([]string{token, key, "abcd", "cdef", "aaab"})
	text := "x" + token + "abcdef\n" + key + "aaaaaab" + url.QueryEscape(token) + "cde"
	want := m.String(text)
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := m.Stream()
		var got []byte
		for rest := text; rest != ""; {
			n := 1 + rnd.IntN(min(len(rest), 9))
			got = s.Append(got, []byte(rest[:n]))
			rest = rest[n:]
		}
		got = s.Flush(got)
		if string(got) != want {
			t.Fatalf("seed %d: got %q, want %q", seed, got, want)
		}
	}
}

func TestWhatBeginsNoSecretIsShownAtOnce(t *testing.T) {
	s := New([]string{token}).Stream()
	if got := s.Append(nil, []byte("all of this\n")); string(got) != "all of this\n" {
		t.Errorf("got %q", got)
	}
	if got := s.Append(nil, []byte("then s3")); string(got) != "then " {
		t.Errorf("got %q", got)
	}
	if got := s.Flush(nil); string(got) != "s3" {
		t.Errorf("flushed %q", got)
	}
}

func TestNothingToHide(t *testing.T) {
	var none *Masker
	for _, m := range []*Masker{none, New([]string{"", "a"})} {
		if got := m.String("a text"); got != "a text" {
			t.Errorf("got %q", got)
		}
		s := m.Stream()
		if got := s.Flush(s.Append(nil, []byte("a text"))); string(got) != "a text" {
			t.Errorf("got %q", got)
		}
	}
}

func TestAccessKeysAreHidden(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"id AKIAIOSFODNN7EXAMPLE.", "id ***."},
		{"ASIAIOSFODNN7EXAMPLE", "***"},
		{"AKIAKIAIOSFODNN7EXAMPLE", "***"}, // the second one overlaps the first
		{"AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPL"},
		{"AKIAIOSFODNN7EXAMPLe", "AKIAIOSFODNN7EXAMPLe"},
		{"AROAIOSFODNN7EXAMPLE", "AROAIOSFODNN7EXAMPLE"},
		{"A", "A"},
		{"AKI secret", "AKI ***"},
	} {
		m := New([]string{"secret"})
		if got := m.String(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
		s := m.Stream()
		var got []byte
		for i := range c.text {
			got = s.Append(got, []byte(c.text[i:i+1]))
		}
		if got = s.Flush(got); string(got) != c.want {
			t.Errorf("%q, byte by byte: got %q, want %q", c.text, got, c.want)
		}
	}
	// Without secrets positions are skipped in another way.
	for _, text := range []string{"id AKIAIOSFODNN7EXAMPLE.", "AAAKIAIOSFODNN7EXAMPLEA", "no key, A, AK, AKI, AKIA, ASIA", "ASI", "xA", "A"} {
		m, want := New(nil), New([]string{"secret"}).String(text)
		s := m.Stream()
		var got []byte
		for i := range text {
			got = s.Append(got, []byte(text[i:i+1]))
		}
		if got = s.Flush(got); string(got) != want || m.String(text) != want {
			t.Errorf("%q without secrets: got %q and, byte by byte, %q, want %q", text, m.String(text), got, want)
		}
	}
	if got := New([]string{"AKI"}).String("AKIAIOSFODNN7EXAMPLE"); got != "***" {
		t.Errorf("a secret that an access key begins with leaves %q of it", got)
	}
}

func FuzzStream(f *testing.F) {
	f.Add("secret", "a secret text", 3)
	f.Add("aab", "aaab", 1)
	f.Add("AKI", "AKIAIOSFODNN7EXAMPLE", 4)
	f.Add("multi\nline secret\n", "x multi\nline secret\n", 7)
	f.Fuzz(func(t *testing.T, secret, text string, piece int) {
		m := New([]string{secret})
		s := m.Stream()
		var got []byte
		step := 1 + int(uint(piece)%16)
		for rest := []byte(text); len(rest) > 0; rest = rest[min(step, len(rest)):] {
			got = s.Append(got, rest[:min(step, len(rest))])
		}
		got = s.Flush(got)
		if want := m.String(text); string(got) != want {
			t.Fatalf("in pieces %q, in one %q", got, want)
		}
		if len(secret) >= minSecret && !strings.ContainsAny(secret, "*") && bytes.Contains(got, []byte(secret)) {
			t.Fatalf("%q shows in %q", secret, got)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	for name, secrets := range map[string][]string{
		"secrets=0": nil,
		"secrets=4": {token, key, "another-password-1", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"},
	} {
		b.Run(name, func(b *testing.B) {
			data := bytes.Repeat([]byte("2024/02/19 11:48:37 ok  github.com/runner-ci/runner 0.5s\n"), 800)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			s := New(secrets).Stream()
			var out []byte
			for b.Loop() {
				out = s.Append(out[:0], data)
			}
		})
	}
}
