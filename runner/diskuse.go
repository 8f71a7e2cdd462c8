package runner

import (
	"cmp"
	"context"
	"slices"
)

// WrittenAt is where the containers of a sandbox write, besides the sandbox's own directory.
type WrittenAt struct {
	Dirs  []WrittenDir // on this machine
	PIDs  []int        // the first process of each container, as this machine sees it
	Bytes int64        // what the engine says of what this machine cannot see
}

// WrittenDir is one directory of the engine's with what a container wrote.
type WrittenDir struct {
	Path   string // on this machine
	Inside string // what the job calls it: "/", "service db: /"
}

// A Meter is an Executor that tells where a sandbox writes outside of its own directory.
type Meter interface {
	// Written tells where. The directories stay the same for as long as the sandbox runs.
	Written(ctx context.Context, sandboxID string) (WrittenAt, error)
}

// diskUse is what some directories take of the disk.
type diskUse struct {
	Bytes int64 // blocks, as the file system counts them: holes take none
	Files int64 // of every kind
	// TooDeep tells that more directories lie too deep than can be measured.
	TooDeep bool
	top     map[string]share
}

// share is the part of a use that lies below one directory near the top.
type share struct{ bytes, files int64 }

// over tells whether the use is more than the limits allow.
func (u diskUse) over(l Limits) bool {
	return u.TooDeep || l.DiskBytes > 0 && u.Bytes > l.DiskBytes || l.Files > 0 && u.Files > l.Files
}

// maxTops bounds of how many directories what they take is kept apart.
const maxTops = 4096

// add counts one file below a directory near the top.
func (u *diskUse) add(top string, bytes int64) {
	u.Bytes += bytes
	u.Files++
	if u.top == nil {
		u.top = make(map[string]share)
	}
	if was, known := u.top[top]; known || len(u.top) < maxTops {
		u.top[top] = share{was.bytes + bytes, was.files + 1}
	}
}

// largest names the directories that have the most of something, those with the most first.
func (u diskUse) largest(n int, of func(share) int64) (names []string) {
	for name, s := range u.top {
		if of(s) > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(of(u.top[b]), of(u.top[a])), cmp.Compare(a, b))
	})
	return names[:min(n, len(names))]
}
