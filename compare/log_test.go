package compare

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var signs = map[Kind]string{Same: " ", Green: "-", Red: "+", Gap: "~"}

// compared reads two logs and returns what Walk shows of them, a line each.
func compared(t *testing.T, green, red string, context int) (rows []string, moved int) {
	t.Helper()
	a := aligned(t, green, red)
	err := Walk(strings.NewReader(green), strings.NewReader(red), a, context, func(r Row) bool {
		rows = append(rows, fmt.Sprintf("%s%d %s", signs[r.Kind], r.Number, r.Text))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, a.Moved
}

func aligned(t *testing.T, green, red string) *Alignment {
	t.Helper()
	g, err := Read(strings.NewReader(green))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(strings.NewReader(red))
	if err != nil {
		t.Fatal(err)
	}
	return Align(g.Sums, r.Sums)
}

func TestLogs(t *testing.T) {
	for _, c := range []struct {
		name, green, red string
		want             []string
		moved            int
	}{
		{"the same", "a\nb\n", "a\nb\n", nil, 0},
		{"the same but for the times", "a 0.1s\nb", "a 12s\nb\n", nil, 0},
		{"one line more", "a\nb\nc\nd\n", "a\nb\nnew\nc\nd\n", []string{"~0 ", " 2 b", "+3 new", " 4 c"}, 0},
		{"one line less", "a\nb\nc\nd\n", "a\nb\nd\n", []string{"~0 ", " 2 b", "-3 c", " 3 d"}, 0},
		{"another line", "a\nok\nc\n", "a\nFAIL\nc\n", []string{" 1 a", "-2 ok", "+2 FAIL", " 3 c"}, 0},
		{"another order", "a\nb\nc\nd\ne\n", "a\nd\nc\nb\ne\n", nil, 2},
		{"another order, and a new line", "a\nb\nc\nd\n", "a\nc\nnew\nb\nd\n", []string{"~0 ", " 2 c", "+3 new", " 5 d"}, 1},
		{"lines that come again", "x\nok\nok\nok\ny\n", "x\nok\nok\ny\n", []string{"~0 ", " 3 ok", "-4 ok", " 4 y"}, 0},
		{"a log that is empty", "", "a\n", []string{"+1 a"}, 0},
		{"a log that breaks off", "a\nb\nc\n", "a\n", []string{" 1 a", "-2 b", "-3 c"}, 0},
		{"bars of another length", "get [==>     ] 1MB\nget [====>   ] 2MB\nget [========] 3MB\nend", "get [====>   ] 2MB\nend", nil, 0},
		{"two places", "a\nb\nc\nd\ne\nf\n", "a\nB\nc\nd\ne\nF\n", []string{" 1 a", "-2 b", "+2 B", " 3 c", "~0 ", " 5 e", "-6 f", "+6 F"}, 0},
		{"nothing unique but in parts", "1\nok\nok\nok\n2\nok\n", "1\nok\nbad\nok\n2\nok\n", []string{"~0 ", " 2 ok", "-3 ok", "+3 bad", " 4 ok"}, 0},
	} {
		rows, moved := compared(t, c.green, c.red, 1)
		if !slices.Equal(rows, c.want) || moved != c.moved {
			t.Errorf("%s: %q, %d moved\nwant %q, %d", c.name, rows, moved, c.want, c.moved)
		}
	}
}

// TestPhaseAndCommand holds that a row says what red was at.
func TestPhaseAndCommand(t *testing.T) {
	green := "[Container] 2026/11/26 06:29:03.0 Entering phase BUILD\n[Container] 2026/11/26 06:29:03.1 Running command go test ./...\nok\n"
	red := strings.ReplaceAll(green, "ok", "FAIL")
	var got []string
	err := Walk(strings.NewReader(green), strings.NewReader(red), aligned(t, green, red), 0, func(r Row) bool {
		got = append(got, r.Phase+": "+r.Command)
		return r.Kind == Gap
	})
	if want := "BUILD: go test ./..."; err != nil || len(got) != 2 || got[1] != want {
		t.Errorf("%q, %v; want %q and no more after the first line", got, err, want)
	}
}

// TestVeryLongLines holds that a line counts to its end, and takes no more memory than its beginning.
func TestVeryLongLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	if rows, _ := compared(t, "a\n"+long+"y\nb\n", "a\n"+long+"z\nb\n", 0); len(rows) != 3 || len(rows[1]) > maxText+10 {
		t.Errorf("%d rows", len(rows))
	}
	if rows, _ := compared(t, "a\n"+long+"y\nb\n", "a\n"+long+"y\nb", 0); rows != nil {
		t.Errorf("%d rows of the same", len(rows))
	}
}

func TestALogThatBreaksOffIsAnError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Read(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	a := aligned(t, "a\nb\n", "a\nc\n")
	err := Walk(iotest.ErrReader(broken), strings.NewReader("a\nc\n"), a, 0, func(Row) bool { return true })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// FuzzAlign holds what every alignment promises: outside of its changes both logs are the same, line by line, and the lines
// that only one has are those that it has more often.
func FuzzAlign(f *testing.F) {
	f.Add([]byte("abcdef"), []byte("abxdef"))
	f.Add([]byte("aabbaabb"), []byte("bbaabbaa"))
	f.Add([]byte(""), []byte("x"))
	f.Fuzz(func(t *testing.T, g, r []byte) {
		green, red := sumsOf(g), sumsOf(r)
		a := Align(green, red)
		surplus := map[uint64]int{}
		for _, s := range green {
			surplus[s]++
		}
		for _, s := range red {
			surplus[s]--
		}
		i, j := 0, 0
		all := append(slices.Clone(a.Changes), Change{len(green), len(green), len(red), len(red)})
		var gone, come []uint64
		for _, c := range all {
			if c.GreenFrom < i || c.RedFrom < j || c.GreenTo < c.GreenFrom || c.RedTo < c.RedFrom {
				t.Fatalf("changes out of order: %v", a.Changes)
			}
			for k := c.GreenFrom; k < c.GreenTo; k++ {
				if a.GreenOnly(k) {
					gone = append(gone, green[k])
				}
			}
			for k := c.RedFrom; k < c.RedTo; k++ {
				if a.RedOnly(k) {
					come = append(come, red[k])
				}
			}
			i, j = c.GreenTo, c.RedTo
		}
		for _, s := range gone {
			surplus[s]--
		}
		for _, s := range come {
			surplus[s]++
		}
		for s, n := range surplus {
			if n != 0 {
				t.Fatalf("line %c is told %d times too little: green %q red %q: %v", rune(s), n, g, r, a.Changes)
			}
		}
		if slices.Equal(green, red) != (len(a.Changes) == 0 && a.Moved == 0) {
			t.Fatalf("green %q red %q: %v, %d moved", g, r, a.Changes, a.Moved)
		}
	})
}

func sumsOf(text []byte) []uint64 {
	out := make([]uint64, len(text))
	for i, c := range text {
		out[i] = uint64(c)
	}
	return out
}
