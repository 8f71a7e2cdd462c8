package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ShellProtocol is the subprotocol of a shell's WebSocket. The first byte of each of its messages says what it is.
const ShellProtocol = "runner.shell.v1"

// Messages of a shell's WebSocket: to the daemon the first three, from it the others.
const (
	ShellInput    = 'i'
	ShellInputEnd = 'e'
	ShellResize   = 'r' // a ShellSize

	ShellBeganMessage = 'b' // a ShellBegan
	ShellOutput       = 'o'
	ShellErrors       = 'e'
	ShellEndedMessage = 'x' // a ShellEnded
)

// ShellBegan says where a shell is.
type ShellBegan struct {
	Job      string    `json:"job"`
	At       string    `json:"at"` // "running": beside the commands of the job; "failed": in what is kept of it
	Image    string    `json:"image,omitempty"`
	Until    time.Time `json:"until,omitzero"`     // when what is kept goes, unless somebody is in it
	Withheld []string  `json:"withheld,omitempty"` // variables that the job was given, and the shell is not: secrets
}

// ShellSize is that of a terminal.
type ShellSize struct {
	Cols uint `json:"cols"`
	Rows uint `json:"rows"`
}

// ShellEnded says how a shell ended.
type ShellEnded struct {
	Exit   int    `json:"exit"`
	Reason string `json:"reason,omitempty"` // why the daemon ended it; empty: it ended by itself
}

// ShellOptions say what is to be opened.
type ShellOptions struct {
	Job     string   // id; "" is the only job that there is to go into
	At      string   // "running", "failed"; "" is where the job is
	Command []string // a program with its arguments; none is a shell
	TTY     bool
	Size    ShellSize
	Term    string // the variable TERM
}

// Shell is a program that runs in a job's container.
type Shell struct {
	ShellBegan
	sock *socket
}

// OpenShell opens a shell in a job of a build. It ends with ctx.
func (c *Client) OpenShell(ctx context.Context, build string, o ShellOptions) (*Shell, error) {
	path, err := buildPath(build, "/shell")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for name, value := range map[string]string{"job": o.Job, "at": o.At} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(o.Command) > 0 {
		query["command"] = o.Command
	}
	if o.TTY {
		query.Set("tty", "true")
		query.Set("cols", strconv.FormatUint(uint64(o.Size.Cols), 10))
		query.Set("rows", strconv.FormatUint(uint64(o.Size.Rows), 10))
		query.Set("term", o.Term)
	}
	sock, err := c.dial(ctx, path, query, ShellProtocol)
	if err != nil {
		return nil, err
	}
	s := &Shell{sock: sock}
	text, err := sock.read()
	if err == nil && (len(text) == 0 || text[0] != ShellBeganMessage) {
		err = errors.New("it did not begin with what was expected")
	}
	if err == nil {
		err = json.Unmarshal(text[1:], &s.ShellBegan)
	}
	if err != nil {
		sock.Close()
		return nil, unreachable(c.base, true, fmt.Errorf("opening a shell: %w", err))
	}
	return s, nil
}

// shellBlock is how many bytes of input go into one message.
const shellBlock = 32 << 10

// Write sends input.
func (s *Shell) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), shellBlock)]
		if err := s.sock.write(append([]byte{ShellInput}, part...)); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}

// CloseInput ends the input, as Ctrl-D does without a terminal.
func (s *Shell) CloseInput() error { return s.sock.write([]byte{ShellInputEnd}) }

// Resize tells the size of the terminal.
func (s *Shell) Resize(size ShellSize) error {
	text, err := json.Marshal(size)
	if err != nil {
		return err
	}
	return s.sock.write(append([]byte{ShellResize}, text...))
}

// Copy copies the output until the end of the program, and says how it ended.
func (s *Shell) Copy(stdout, stderr io.Writer) (ShellEnded, error) {
	for {
		text, err := s.sock.read()
		if err != nil {
			return ShellEnded{}, fmt.Errorf("the connection to the shell broke off: %w", err)
		}
		if len(text) == 0 {
			continue
		}
		switch text[0] {
		case ShellOutput:
			_, err = stdout.Write(text[1:])
		case ShellErrors:
			_, err = stderr.Write(text[1:])
		case ShellEndedMessage:
			var over ShellEnded
			err = json.Unmarshal(text[1:], &over)
			return over, errors.Join(err, s.sock.goodbye())
		}
		if err != nil {
			return ShellEnded{}, err
		}
	}
}

// Close ends the program, and the connection.
func (s *Shell) Close() error { return s.sock.Close() }

// upgrade is how a WebSocket is asked for.
func upgrade(protocol, key string) http.Header {
	return http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {key}, "Sec-Websocket-Protocol": {protocol},
	}
}
