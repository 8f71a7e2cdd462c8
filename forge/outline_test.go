package forge

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// agree compares outline with encoding/json: in what is an object it finds the same values. Of all else no more is wanted
// than that it comes to an end.
func agree(t *testing.T, text []byte) {
	t.Helper()
	got := map[string]*json.RawMessage{"a": new(json.RawMessage), "repository": new(json.RawMessage)}
	err := outline(text, got)
	var want map[string]json.RawMessage
	if json.Unmarshal(text, &want) != nil || want == nil {
		return
	}
	if err != nil {
		t.Fatalf("outline(%q): %v", text, err)
	}
	for name, value := range got {
		if len(*value) == 0 && bytes.ContainsRune(text, '\\') {
			continue // names may be written with escapes, which no forge does
		}
		if !bytes.Equal(*value, want[name]) {
			t.Errorf("outline(%q) finds %q as %s, encoding/json %q", text, *value, name, want[name])
		}
	}
}

var outlines = []string{
	``, ` `, `{`, `{}`, ` { } `, `{}}`, `{"a":1}`, `{"a":1,}`, `{"a" : [1,{"b":"}]\""}] , "b":2}`, `{"a":"\\","b":{}}`, `{"a":"\\\""}`,
	`{"b":"\"a\":1","a":true}`, `{"a":null}`, `{"a":-1.5e+3}`, `{"a"}`, `{"a":}`, `{"a":"`, `{"a":[`, `{"a":1 2}`, `{"a":1}x`, `[{"a":1}]`, `"a"`,
	`{"b":[{"a":1}],"a":2,"a":3}`, `{"":0,"a":{}}`, "{\"a\"\t:\r\n\"x\"}", `{"a":]}`, `{"a":{]}`,
}

func TestOutlineFindsWhatJSONFinds(t *testing.T) {
	for _, text := range outlines {
		agree(t, []byte(text))
	}
	for text, want := range map[string]string{
		`{"a" : [1,{"b":"}]\""}] , "b":2}`: `[1,{"b":"}]\""}]`, `{"a":"\\","b":{}}`: `"\\"`, `{"b":[{"a":1}],"a":2,"a":3}`: `3`, `{"a":null}`: `null`,
	} {
		var got json.RawMessage
		if err := outline([]byte(text), map[string]*json.RawMessage{"a": &got}); err != nil || string(got) != want {
			t.Errorf("outline(%q) finds %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{``, `{`, `{"a"}`, `{"a":}`, `{"a":"`, `{"a":[`, `{"a":1 2}`, `{"a":1}x`, `[{"a":1}]`, `{"a":1,}`, `{}}`} {
		if err := outline([]byte(text), nil); err == nil {
			t.Errorf("outline(%q) takes it for an object", text)
		}
	}
}

func FuzzOutline(f *testing.F) {
	for _, text := range outlines {
		f.Add([]byte(text))
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(agree)
}

// BenchmarkGitHubParse reads a push of 8 KB.
func BenchmarkGitHubParse(b *testing.B) {
	var commits []any
	for len(commits) < 20 {
		commits = append(commits, map[string]any{"id": newTip, "message": "Serve the index faster", "url": "https://github.com/example/api/commit/" + newTip,
			"author": map[string]any{"name": "Ada", "email": "ada@example.com"}, "added": []string{"a.go"}, "modified": []string{"b.go"}})
	}
	body := change(b, "push", "commits", commits)
	header := jsonHeader("push")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (GitHub{}).Parse(header, body); err != nil {
			b.Fatal(err)
		}
	}
}
