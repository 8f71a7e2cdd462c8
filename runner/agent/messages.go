//go:build linux

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// message is one message of the shell.
type message struct {
	kind byte
	text []byte
	cut  bool // it was longer than maxMessage, and text is empty
}

// maxMessage bounds what a shell may say at once: its state is the longest, and has to fit where the agent's files are.
const maxMessage = 32 << 20

// readMessages splits what shells write into messages until the FIFO is closed. It closes over when it has ended.
func readMessages(from *os.File, to chan<- message, over chan<- struct{}) {
	defer close(over)
	var h held
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil && !errors.Is(err, io.EOF) {
			return
		}
		for left, whole := buf[:n], true; whole; {
			var part []byte
			part, left, whole = bytes.Cut(left, []byte{0})
			h.add(part)
			if m, some := h.message(); whole && some {
				to <- m
				h = held{}
			}
		}
	}
}

// held is what has come of a message.
type held struct {
	text []byte
	cut  bool
}

// add takes the next part. Of a message that gets too long the kind is kept: whoever waits for it must hear that it
// came.
func (h *held) add(part []byte) {
	switch {
	case h.cut:
	case len(h.text)+len(part) > maxMessage:
		h.text, h.cut = bytes.Clone(h.text[:1]), true
	default:
		h.text = append(h.text, part...)
	}
}

// message returns it, unless nothing stands between two NULs.
func (h *held) message() (message, bool) {
	if len(h.text) == 0 {
		return message{}, false
	}
	return message{kind: h.text[0], text: h.text[1:], cut: h.cut}, true
}

// sayEnd puts the end of the process into the FIFO, behind all that the process said. Where commands have filled the
// FIFO, it waits for next to read on; if it does not get through even so, the end comes on the channel.
func sayEnd(status *os.File, exit int) <-chan message {
	unsaid := make(chan message, 1)
	go func() {
		_ = status.SetWriteDeadline(time.Now().Add(tellLimit))
		if _, err := fmt.Fprintf(status, "\x00%c%d\x00", endOfShell, exit); err != nil {
			unsaid <- message{kind: endOfShell, text: fmt.Append(nil, exit)}
		}
	}()
	return unsaid
}
