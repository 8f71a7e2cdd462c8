//go:build !linux

package artifacts

// syncDisk has nothing to do: without overlays there are no layers.
func syncDisk(string) error { return nil }

func bootID() string { return "" }

func mountOf(string) string { return "" }
