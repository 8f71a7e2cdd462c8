package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Sockets are made by hand: package net would make the agent's binary half as large again.

// maxSocketPath is what every system takes as the path of a socket.
const maxSocketPath = 100

// dialUnix connects to a socket. Reads and writes of the file keep deadlines.
func dialUnix(path string) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	err = shortly(path, func(short string) error {
		return os.NewSyscallError("connect", syscall.Connect(fd, &syscall.SockaddrUnix{Name: short}))
	})
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// listenUnix makes a socket to which every user may connect, in place of an older one.
func listenUnix(path string) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	_ = os.Remove(path)
	err = shortly(path, func(short string) error {
		return os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: short}))
	})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(fd, 16))
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// accept waits for the next connection, until the listener is closed.
func accept(listener *os.File) (*os.File, error) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	var conn int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		conn, _, failed = syscall.Accept(int(fd))
		return failed != syscall.EAGAIN && failed != syscall.EINTR
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("accepting on %s: %w", listener.Name(), firstOf(err, failed))
	}
	syscall.CloseOnExec(conn)
	if err := syscall.SetNonblock(conn, true); err != nil {
		syscall.Close(conn)
		return nil, err
	}
	return os.NewFile(uintptr(conn), listener.Name()), nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// shortly calls use with a path that a socket's address holds: a long one is told by its open directory.
func shortly(path string, use func(short string) error) error {
	if len(path) <= maxSocketPath {
		return use(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}
