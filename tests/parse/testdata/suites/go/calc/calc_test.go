package calc

import (
	"testing"
	"time"
)

func TestDiv(t *testing.T) {
	time.Sleep(20 * time.Millisecond)
	if Div(6, 3) != 2 {
		t.Fatal("6/3")
	}
}

func TestTable(t *testing.T) {
	for _, name := range []string{"größer", "with space", "with space", "fails"} {
		t.Run(name, func(t *testing.T) {
			t.Log("looking at", name)
			if name == "fails" {
				t.Errorf("got 1,\nwant \"2\" <&>")
			}
		})
	}
}

func TestSkipped(t *testing.T) { t.Skip("not on this machine") }
