//go:build !linux

package runner

import "errors"

func mountSmall(string, int) error { return errors.New("only Linux mounts one here") }

func unmount(string) error { return nil }
