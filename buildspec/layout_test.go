package buildspec

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// layoutWidth is how wide a value may be to stand on one line.
const layoutWidth = 110

// asJSON writes a value as JSON that people can read: what fits on a line stands on one.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	layout(t, &out, bytes.TrimSpace(b.Bytes()), "")
	return out.String() + "\n"
}

func layout(t *testing.T, out *strings.Builder, raw []byte, indent string) {
	t.Helper()
	open := raw[0]
	if open != '{' && open != '[' || len(indent)+len(raw) <= layoutWidth {
		out.Write(spaced(raw))
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	inner := indent + "  "
	out.WriteByte(open)
	for first := true; dec.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		out.WriteString("\n" + inner)
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			name, _ := json.Marshal(key)
			out.Write(append(name, ": "...))
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		layout(t, out, value, inner)
	}
	out.WriteString("\n" + indent + string(open+2)) // } and ] come two after { and [
}

// spaced puts a space behind the commas and colons between values.
func spaced(raw []byte) []byte {
	var out []byte
	quoted, escaped := false, false
	for _, c := range raw {
		out = append(out, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}
