//go:build !linux

package docker

import (
	"fmt"
	"runtime"
)

// place is the inside of a running sandbox, which only Linux can enter.
type place struct {
	pid int
	dir string
}

func (place) attach(layers, string) error           { return errNotLinux() }
func (place) show(string, string) error             { return errNotLinux() }
func (place) detach(string) error                   { return errNotLinux() }
func (place) resizeShm(int64) error                 { return errNotLinux() }
func (place) plug(*wiring, string, string) error    { return errNotLinux() }
func (place) rehearse() error                       { return errNotLinux() }
func (place) attached(string, string) (bool, error) { return false, errNotLinux() }
func (place) shown(string, string) (bool, error)    { return false, errNotLinux() }

func errNotLinux() error {
	return fmt.Errorf("this is %s, and only Linux mounts in containers", runtime.GOOS)
}

func (place) ended() bool { return false }

func (*Engine) watchBridge() {}

func (place) dead() bool { return false }
