package artifacts

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prefetchMin is the size from which a system call costs less than the page faults it spares.
const prefetchMin = 64 << 10

// prefetch asks for the file's pages below b, a value in the mapped file, in one go. bbolt maps its file for random
// access, so that a large value which is not in memory would be read page by page, each one awaited.
func prefetch(b []byte) {
	if len(b) < prefetchMin {
		return
	}
	skew := uintptr(unsafe.Pointer(&b[0])) % uintptr(os.Getpagesize())
	pages := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(&b[0]), -int(skew))), len(b)+int(skew))
	_ = unix.Madvise(pages, unix.MADV_WILLNEED)      // both are advice: what they do not bring,
	_ = unix.Madvise(pages, unix.MADV_POPULATE_READ) // a page fault does
}
