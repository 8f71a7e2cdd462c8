package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func frame(kind byte, text string) string {
	h := binary.BigEndian.AppendUint32([]byte{kind, 0, 0, 0}, uint32(len(text)))
	return string(h) + text
}

func TestDemuxer(t *testing.T) {
	long := strings.Repeat("0123456789", 20_000)
	tests := []struct {
		name, in, out, errs string
		want                error // io.EOF: read to the end
	}{
		{"nothing", "", "", "", io.EOF},
		{"both streams", frame(1, "a\n") + frame(2, "x") + frame(1, "b") + frame(2, "y"), "a\nb", "xy", io.EOF},
		{"empty frames", frame(1, "") + frame(2, "") + frame(1, "a") + frame(1, ""), "a", "", io.EOF},
		{"a long one", frame(1, long), long, "", io.EOF},
		{"a long error", frame(2, long), "", long[len(long)-tailBytes:], io.EOF},
		{"cut in a header", frame(1, "a") + "\x01\x00", "a", "", io.ErrUnexpectedEOF},
		{"cut in output", frame(1, "abc")[:10], "ab", "", io.ErrUnexpectedEOF},
		{"cut in an error", frame(2, "abc")[:10], "", "ab", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
				"with EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				errs := &tail{}
				got, err := io.ReadAll(newDemuxer(r, errs))
				if err == nil {
					err = io.EOF
				}
				if string(got) != tt.out || !errors.Is(err, tt.want) || errs.String() != tt.errs {
					t.Errorf("%s: %d bytes, errors %q, %v", name, len(got), errs, err)
				}
			}
		})
	}
	for in, says := range map[string]string{frame(3, "engine trouble"): "engine trouble", frame(9, "x"): "kind 9"} {
		if _, err := io.ReadAll(newDemuxer(strings.NewReader(in), &tail{})); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestTailIsPrintable(t *testing.T) {
	var tl tail
	for range 3000 {
		_, _ = io.WriteString(&tl, "\x1b[31mred\x00\xff\n")
	}
	text := tl.String()
	if len(text) > 2*tailBytes || strings.ContainsAny(text, "\x1b\x00") || !utf8.ValidString(text) || !strings.HasSuffix(text, "[31mred?") {
		t.Errorf("%d bytes, ending %q", len(text), text[max(0, len(text)-20):])
	}
}

func FuzzDemuxer(f *testing.F) {
	f.Add([]byte(frame(1, "a")+frame(2, "b")), 3)
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff"), 1)
	f.Add([]byte(frame(3, "x")), 9)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		d := newDemuxer(bytes.NewReader(in), &tail{})
		buf := make([]byte, min(max(size, 1), 1<<16))
		total := 0
		for {
			n, err := d.Read(buf)
			if total += n; total > len(in) {
				t.Fatalf("%d bytes came out of %d", total, len(in))
			}
			if err != nil {
				return
			}
		}
	})
}

func FuzzReadPull(f *testing.F) {
	f.Add([]byte(`{"status":"Pulling"}` + "\n" + `{"errorDetail":{"message":"no"},"error":"no"}`))
	f.Add([]byte(`{"error":`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := readPull(bytes.NewReader(in)); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}
