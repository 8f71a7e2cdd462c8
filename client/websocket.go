package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

// socket is the client's end of a WebSocket (RFC 6455), of which only binary messages are used. This package has nothing but
// the standard library, which has none.
type socket struct {
	conn io.ReadWriteCloser
	r    *bufio.Reader
	mu   sync.Mutex // of writers
	stop func() bool
}

// Kinds of frames.
const (
	frameMore   = 0x0
	frameText   = 0x1
	frameBinary = 0x2
	frameClose  = 0x8
	framePing   = 0x9
	framePong   = 0xA

	frameLast = 0x80
	frameMask = 0x80
)

// maxMessage bounds a message that comes in.
const maxMessage = 1 << 20

// socketGUID is what the answer to a key is made with, as the standard says.
const socketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// dial asks for a WebSocket. It is closed when ctx ends.
func (c *Client) dial(ctx context.Context, path string, query url.Values, protocol string) (*socket, error) {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	key := base64.StdEncoding.EncodeToString(raw[:])
	resp, err := c.send(ctx, request{method: http.MethodGet, path: path, query: query, header: upgrade(protocol, key)})
	if err != nil {
		return nil, err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if sum := sha1.Sum([]byte(key + socketGUID)); resp.StatusCode != http.StatusSwitchingProtocols || !ok ||
		resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		resp.Body.Close()
		return nil, unreachable(c.base, false, errors.New("what answered opens no WebSocket; a proxy in between may have to be told to let them through"))
	}
	s := &socket{conn: conn, r: bufio.NewReader(conn)}
	s.stop = context.AfterFunc(ctx, func() { conn.Close() })
	return s, nil
}

// write sends one message.
func (s *socket) write(text []byte) error { return s.frame(frameBinary, text) }

// frame sends one frame.
func (s *socket) frame(kind byte, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(kind, text)
}

// send is frame for who has the lock. What a client sends is masked.
func (s *socket) send(kind byte, text []byte) error {
	var mask [4]byte
	_, _ = rand.Read(mask[:])
	out := []byte{frameLast | kind}
	switch n := len(text); {
	case n < 126:
		out = append(out, frameMask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, frameMask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, frameMask|127), uint64(n))
	}
	out = append(out, mask[:]...)
	for i, b := range text {
		out = append(out, b^mask[i%4])
	}
	_, err := s.conn.Write(out)
	return err
}

// read is the next message. It answers pings on the way, and returns io.EOF when the other end closes.
func (s *socket) read() (message []byte, err error) {
	for {
		kind, last, text, err := s.next(maxMessage - len(message))
		if err != nil {
			return nil, err
		}
		switch kind {
		case framePing:
			if err := s.frame(framePong, text); err != nil {
				return nil, err
			}
		case framePong:
		case frameClose:
			_ = s.frame(frameClose, text[:min(len(text), 2)])
			return nil, io.EOF
		case frameMore, frameText, frameBinary:
			if message = append(message, text...); last {
				return message, nil
			}
		default:
			return nil, fmt.Errorf("a frame of the kind %d, which nobody knows", kind)
		}
	}
}

// next reads one frame of at most so many bytes.
func (s *socket) next(most int) (kind byte, last bool, text []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, false, nil, err
	}
	size := uint64(head[1] &^ frameMask)
	var more [8]byte
	switch size {
	case 126:
		_, err = io.ReadFull(s.r, more[6:])
		size = binary.BigEndian.Uint64(more[:])
	case 127:
		_, err = io.ReadFull(s.r, more[:])
		size = binary.BigEndian.Uint64(more[:])
	}
	switch {
	case err != nil:
		return 0, false, nil, err
	case head[1]&frameMask != 0 || head[0]&0x70 != 0:
		return 0, false, nil, errors.New("a frame that no server may send")
	case size > uint64(max(most, 0)):
		return 0, false, nil, fmt.Errorf("a message of more than %d bytes", maxMessage)
	}
	text = make([]byte, size)
	_, err = io.ReadFull(s.r, text)
	return head[0] & 0x0f, head[0]&frameLast != 0, text, err
}

// goodbye tells the other end that nothing more is expected of it, unless it does not even take what is being sent.
func (s *socket) goodbye() error {
	if !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	return s.send(frameClose, []byte{3, 232}) // 1000, a normal end
}

// Close hangs up.
func (s *socket) Close() error {
	s.stop()
	_ = s.goodbye()
	return s.conn.Close()
}
