//go:build !linux

package artifacts

// prefetch does nothing where the system offers no way.
func prefetch([]byte) {}
