package daemon

import "testing"

func TestAvailableMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:       16 kB\nMemAvailable:    2048 kB\nBuffers: 1 kB\n": 2 << 20,
		"MemTotal: 16 kB\n": 0,
		"":                  0,
	} {
		if got := available(text); got != want {
			t.Errorf("of %q: %d, want %d", text, got, want)
		}
	}
}
