package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What a disk should have. The daemon itself stops making sandboxes ahead below 256 MiB.
const (
	leastBytes  = 256 << 20
	fewBytes    = 5 << 30
	leastInodes = 1000
	fewInodes   = 100_000
	slowSync    = 50 * time.Millisecond
	syncs       = 7
)

// volume is what a file system says of itself.
type volume struct {
	kind        string // "ext4"
	free, bytes uint64
	inodes      uint64 // free
	counted     bool   // it has a fixed number of inodes
	readOnly    bool
}

// unfit are kinds of file systems that a data directory should not lie on, and why.
var unfit = map[string]string{
	"nfs":       "locks and mapped files of databases are not safe there, and no overlay can be made",
	"cifs":      "locks and mapped files of databases are not safe there, and no overlay can be made",
	"smb2":      "locks and mapped files of databases are not safe there, and no overlay can be made",
	"9p":        "mapped files of databases are not safe there, and no overlay can be made",
	"fuse":      "mapped files of databases may not be safe there, and mostly no overlay can be made",
	"tmpfs":     "everything is gone when the machine restarts",
	"ramfs":     "everything is gone when the machine restarts",
	"overlayfs": "it is the inside of a container: it goes with the container, and no overlay can be made on it",
	"vfat":      "it has neither modes nor links",
}

func (p *patient) diskChecks() []check {
	return []check{
		{"disk", checkTime, func(context.Context) []Finding { return p.disk() }},
		{"disk sync", checkTime, func(ctx context.Context) []Finding { return p.syncing(ctx) }},
	}
}

func (p *patient) disk() []Finding {
	v, err := volumeOf(p.base)
	if err != nil {
		return []Finding{failed("run the doctor as the user of the daemon", "%s cannot be asked for its space: %v", p.base, err)}
	}
	return judge(p.base, v)
}

func judge(dir string, v volume) (out []Finding) {
	const more = "free some: runner caches, retention and docker image prune say what can go; docs/operations.md has more"
	switch {
	case v.readOnly:
		out = append(out, failed("mount it read-write; after a fault of the disk, the kernel's log says why (dmesg)", "%s is on a file system that is mounted read-only", dir))
	case v.free < leastBytes:
		out = append(out, failed(more, "%s has %s free of %s, too little to build", dir, size(v.free), size(v.bytes)))
	case v.free < fewBytes:
		out = append(out, warned(more, "%s has %s free of %s", dir, size(v.free), size(v.bytes)))
	default:
		out = append(out, well("%s has %s free of %s", dir, size(v.free), size(v.bytes)))
	}
	switch {
	case !v.counted:
	case v.inodes < leastInodes:
		out = append(out, failed("make a file system with more inodes (mkfs.ext4 -i 8192), or xfs; remove files meanwhile", "%s has room for %d more files, too few to build", dir, v.inodes))
	case v.inodes < fewInodes:
		out = append(out, warned("make a file system with more inodes (mkfs.ext4 -i 8192), or xfs", "%s has room for %d more files; one node_modules has 50,000", dir, v.inodes))
	}
	if why := unfit[v.kind]; why != "" {
		out = append(out, warned("put the data directory on a disk of this machine: ext4 or xfs", "%s is on %s: %s", dir, v.kind, why))
	} else {
		out = append(out, well("its file system is %s", v.kind))
	}
	return out
}

// syncing measures how long the disk takes to make a small write durable: each step of a build waits for a few of
// those.
func (p *patient) syncing(ctx context.Context) []Finding {
	took, err := syncTime(ctx, p.base)
	if err != nil {
		return []Finding{failed("let the daemon's user write there (chown), or name another data directory", "nothing can be written durably to %s: %v", p.base, err)}
	}
	return []Finding{judgeSync(took)}
}

func judgeSync(took time.Duration) Finding {
	if took > slowSync {
		return warned("put the data directory on a faster disk, an SSD best; a busy one may be slow for this moment alone", "a small write takes %v to be durable; builds wait for several", took.Round(time.Millisecond))
	}
	return well("a small write is durable in %v", took.Round(10*time.Microsecond))
}

// syncTime is the median of some writes of a page. The file has no name while it is written, so that nothing stays.
func syncTime(ctx context.Context, dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := os.Remove(filepath.Join(dir, filepath.Base(f.Name()))); err != nil {
		return 0, err
	}
	var took []time.Duration
	page := make([]byte, 4096)
	for i := range syncs {
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		_, werr := f.WriteAt(page, int64(i*len(page)))
		if err := errors.Join(werr, f.Sync()); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	if len(took) == 0 {
		return 0, context.Cause(ctx)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
