package doctor

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kinds are file systems by the number that the kernel has for them.
var kinds = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	0x2fc12fc1: "zfs", unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	unix.NFS_SUPER_MAGIC: "nfs", 0xff534d42: "cifs", unix.SMB2_SUPER_MAGIC: "smb2", unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.MSDOS_SUPER_MAGIC: "vfat",
}

func volumeOf(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, err
	}
	v := volume{
		kind: kinds[int64(uint32(st.Type))], free: st.Bavail * uint64(st.Bsize), bytes: st.Blocks * uint64(st.Bsize),
		inodes: st.Ffree, counted: st.Files > 0, readOnly: st.Flags&unix.ST_RDONLY != 0,
	}
	if v.kind == "" {
		v.kind = fmt.Sprintf("of a kind that the doctor does not know (%#x)", uint32(st.Type))
	}
	return v, nil
}

// clockSynced asks the kernel whether anything keeps its clock.
func clockSynced() (bool, error) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return false, err
	}
	return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0, nil
}

// wallAgainstMonotonic is how far the clock on the wall moved beside the one that only goes forward, while d went by.
func wallAgainstMonotonic(d time.Duration) (time.Duration, error) {
	read := func(clock int32) (time.Duration, error) {
		var ts unix.Timespec
		err := unix.ClockGettime(clock, &ts)
		return time.Duration(ts.Nano()), err
	}
	wall, err1 := read(unix.CLOCK_REALTIME)
	mono, err2 := read(unix.CLOCK_MONOTONIC)
	time.Sleep(d)
	mono2, err3 := read(unix.CLOCK_MONOTONIC)
	wall2, err4 := read(unix.CLOCK_REALTIME)
	return (wall2 - wall) - (mono2 - mono), errors.Join(err1, err2, err3, err4)
}
