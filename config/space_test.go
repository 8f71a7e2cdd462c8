package config

import (
	"strings"
	"testing"
)

func TestTheFloorOfADisk(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		floor string
		disk  int64
		want  int64
	}{
		{"auto", 40 * gib, 2 * gib}, {"auto", 1000 * gib, 10 * gib}, {"", 20 << 20, 1 << 20},
		{"7.5%", 1000, 75}, {"0%", gib, 0}, {"0", gib, 0}, {"3GiB", gib, 3 * gib},
	} {
		if got, err := (Space{Floor: tt.floor}).Bytes(tt.disk); err != nil || got != tt.want {
			t.Errorf("%q of %d is %d (%v), want %d", tt.floor, tt.disk, got, err, tt.want)
		}
	}
	for _, bad := range []string{"100%", "-1%", "some", "5", "x%"} {
		_, err := Parse("runner.yml", []byte("space: {floor: "+bad+"}\nlimits: {disk: 1KiB, files: 3}\n"))
		for _, want := range []string{"space.floor", "limits.disk", "limits.files"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not name %s", bad, err, want)
			}
		}
	}
}
