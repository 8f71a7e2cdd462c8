package doctor

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRealDisks has the doctor look at real file systems that are full, without inodes, or read-only.
func TestRealDisks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	for _, c := range []struct {
		options string
		flags   uintptr
		level   Level
		says    string
	}{
		{"size=4m", 0, Fail, "4 MiB free of 4 MiB, too little to build"},
		{"size=1g,nr_inodes=20", 0, Fail, "room for 19 more files, too few to build"},
		{"size=1g", unix.MS_RDONLY, Fail, "mounted read-only"},
		{"size=1g", 0, Warn, "everything is gone when the machine restarts"},
	} {
		p := healthyPatient(t)
		if err := unix.Mount("tmpfs", p.base, "tmpfs", c.flags, c.options); err != nil {
			t.Skipf("nothing can be mounted here: %v", err)
		}
		found := p.disk()
		if c.flags != 0 {
			want(t, p.syncing(t.Context()), Fail, "read-only file system")
			want(t, p.dataDirectory(), Fail, "read-only file system")
		}
		if err := unix.Unmount(p.base, 0); err != nil {
			t.Fatal(err)
		}
		want(t, found, c.level, c.says)
	}
}
