package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

func (s *staged) FindShell(build, job, at string) (scheduler.ShellPlace, error) {
	if s.place != nil {
		return *s.place, nil
	}
	return s.Scheduler.FindShell(build, job, at)
}

func (s *staged) OpenShell(ctx context.Context, place scheduler.ShellPlace, c scheduler.ShellCommand) (*scheduler.OpenedShell, error) {
	if s.room == nil {
		return s.Scheduler.OpenShell(ctx, place, c)
	}
	s.room.asked = c
	return &scheduler.OpenedShell{Shell: s.room, Over: s.room.over, Leave: s.room.leave}, nil
}

// room is a sandbox whose program prints what it is given, in capitals, until the end of its input.
type room struct {
	asked scheduler.ShellCommand
	over  chan string
	in    *io.PipeReader
	to    *io.PipeWriter
	left  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	sizes []uint
}

func newRoom() *room {
	r := &room{over: make(chan string, 1), left: make(chan struct{})}
	r.in, r.to = io.Pipe()
	return r
}

func (r *room) leave()                            { r.once.Do(func() { r.in.Close(); close(r.left) }) }
func (r *room) Write(p []byte) (int, error)       { return r.to.Write(p) }
func (r *room) CloseInput() error                 { return r.to.Close() }
func (r *room) Exit(context.Context) (int, error) { return 7, nil }
func (r *room) End(context.Context)               {}
func (r *room) Resize(_ context.Context, cols, _ uint) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sizes = append(r.sizes, cols)
	return nil
}

func (r *room) Copy(stdout, stderr io.Writer) error {
	_, _ = io.WriteString(stderr, "trouble\n")
	var block [1000]byte
	for {
		n, err := r.in.Read(block[:])
		if _, werr := stdout.Write(bytes.ToUpper(block[:n])); werr != nil {
			return werr
		}
		if err != nil {
			return nil
		}
	}
}

func (r *room) awaitLeft(t *testing.T) {
	t.Helper()
	select {
	case <-r.left:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody ended the shell")
	}
}

// shellDaemon has a build, and every shell of it is the returned room.
func shellDaemon(t *testing.T) (*daemon, *room) {
	t.Helper()
	d := newDaemon(t, project("api", apiURL))
	d.state.put(over(running(), scheduler.Failed))
	d.state.place = &scheduler.ShellPlace{Build: "api#1", Job: "linux", At: scheduler.ShellFailed, Image: "golang", Withheld: []string{"TOKEN"}}
	d.state.room = newRoom()
	return d, d.state.room
}

func TestAShellPassesOnWhatIsSaid(t *testing.T) {
	d, room := shellDaemon(t)
	sh, err := client.New(d.url(), testToken).OpenShell(t.Context(), "api#1", client.ShellOptions{
		TTY: true, Size: client.ShellSize{Cols: 80, Rows: 24}, Term: "xterm-256color", Command: []string{"sh", "-c", "a b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	if sh.Job != "linux" || sh.At != "failed" || len(sh.Withheld) != 1 {
		t.Errorf("it began with %+v", sh.ShellBegan)
	}
	if a := room.asked; !a.TTY || a.Cols != 80 || a.Rows != 24 || a.Term != "xterm-256color" || strings.Join(a.Args, "|") != "sh|-c|a b" || a.By != "admin" {
		t.Errorf("it was asked for %+v", a)
	}
	long := strings.Repeat("x", 100_000)
	go func() {
		_ = sh.Resize(client.ShellSize{Cols: 123, Rows: 45})
		_, _ = io.WriteString(sh, long)
		_ = sh.CloseInput()
	}()
	var out, errs bytes.Buffer
	over, err := sh.Copy(&out, &errs)
	if err != nil || over.Exit != 7 || over.Reason != "" {
		t.Errorf("it ended with %+v, %v", over, err)
	}
	if out.String() != strings.ToUpper(long) || errs.String() != "trouble\n" {
		t.Errorf("it printed %d bytes and %q", out.Len(), errs.String())
	}
	room.awaitLeft(t)
	if len(room.sizes) != 1 || room.sizes[0] != 123 {
		t.Errorf("it heard of the sizes %v", room.sizes)
	}
	events, _, err := d.access.Events(access.Filter{}, "", 10)
	for deadline := time.Now().Add(20 * time.Second); len(events) < 2 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		events, _, err = d.access.Events(access.Filter{}, "", 10)
	}
	if err != nil || len(events) != 2 || events[0].Action != "close-shell" || events[1].Action != "open-shell" ||
		events[1].Object != "api#1 linux failed: sh -c a b" || events[1].Result != http.StatusSwitchingProtocols {
		t.Errorf("the audit log has %+v, %v", events, err)
	}
}

// TestWhatEndsAShell besides its program: each has to let go of the sandbox.
func TestWhatEndsAShell(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(t *testing.T, d *daemon, sh *client.Shell)
		reason string // "": the client hears nothing
	}{
		"the client goes": {func(_ *testing.T, _ *daemon, sh *client.Shell) { sh.Close() }, ""},
		"the disk":        {func(_ *testing.T, d *daemon, _ *client.Shell) { d.state.room.over <- "too much was written" }, "too much was written"},
		"the token is removed": {func(t *testing.T, d *daemon, _ *client.Shell) {
			if _, err := d.access.Remove("mine"); err != nil {
				t.Fatal(err)
			}
		}, "may not have it any more"},
		"the daemon leaves": {func(_ *testing.T, d *daemon, _ *client.Shell) { d.stop() }, "the daemon leaves"},
	} {
		t.Run(name, func(t *testing.T) {
			d, room := shellDaemon(t)
			secret := d.named("mine", access.Admin, "api")
			sh, err := client.New(d.url(), secret).OpenShell(t.Context(), "api#1", client.ShellOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer sh.Close()
			tt.end(t, d, sh)
			if tt.reason != "" {
				over, err := sh.Copy(io.Discard, io.Discard)
				if err != nil || !strings.Contains(over.Reason, tt.reason) {
					t.Errorf("the client hears %+v, %v", over, err)
				}
			}
			room.awaitLeft(t)
		})
	}
}

// TestHostileMessages of a client that may have a shell: they end at most its own.
func TestHostileMessages(t *testing.T) {
	for name, send := range map[string][][]byte{
		"too long":     {append([]byte{'i'}, make([]byte, shellMessage+1)...)},
		"empty":        {{}, {'e'}},
		"unknown":      {{'?', 1, 2}, {'e'}},
		"no size":      {[]byte("r{}"), []byte("rnull"), []byte("r["), []byte(`r{"cols":-1,"rows":9}`), []byte(`r{"cols":99999999,"rows":9}`), {'e'}},
		"end and more": {{'e'}, []byte("imore"), {'e'}},
	} {
		t.Run(name, func(t *testing.T) {
			d, room := shellDaemon(t)
			conn, _, err := websocket.Dial(t.Context(), d.url()+"/api/v1/builds/api/1/shell?tty=true", &websocket.DialOptions{HTTPHeader: bear(testToken), Subprotocols: []string{client.ShellProtocol}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			for _, text := range send {
				if err := conn.Write(t.Context(), websocket.MessageBinary, text); err != nil {
					break
				}
			}
			for {
				if _, _, err := conn.Read(t.Context()); err != nil {
					break
				}
			}
			room.awaitLeft(t)
			room.mu.Lock()
			defer room.mu.Unlock()
			if len(room.sizes) > 0 {
				t.Errorf("it took the sizes %v", room.sizes)
			}
		})
	}
}

func TestWhoMayHaveAShell(t *testing.T) {
	kept := scheduler.ShellPlace{Build: "api#1", Job: "linux", At: scheduler.ShellFailed}
	with := func(change func(*scheduler.ShellPlace)) scheduler.ShellPlace {
		p := kept
		change(&p)
		return p
	}
	for name, tt := range map[string]struct {
		place scheduler.ShellPlace
		may   bool // with the scope submit, under the name "ann"
	}{
		"what is kept of a push":           {kept, true},
		"one that was given secrets":       {with(func(p *scheduler.ShellPlace) { p.Sealed = true }), false},
		"a push that runs":                 {with(func(p *scheduler.ShellPlace) { p.At = scheduler.ShellRunning }), false},
		"a stranger's that runs":           {with(func(p *scheduler.ShellPlace) { p.At, p.Stranger = scheduler.ShellRunning, true }), false},
		"a tree of one's own":              {with(func(p *scheduler.ShellPlace) { p.Sender, p.Sealed = "ann", true }), true},
		"a tree of one's own that runs":    {with(func(p *scheduler.ShellPlace) { p.Sender, p.At = "ann", scheduler.ShellRunning }), true},
		"a tree of somebody else's":        {with(func(p *scheduler.ShellPlace) { p.Sender = "ben" }), false},
		"a tree of nobody that is running": {with(func(p *scheduler.ShellPlace) { p.Sender, p.At = "ben", scheduler.ShellRunning }), false},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := shellDaemon(t)
			d.state.place = &tt.place
			for scope, may := range map[access.Scope]bool{access.Read: false, access.Submit: tt.may, access.Admin: true} {
				d.state.room = newRoom()
				who := map[access.Scope]string{access.Submit: "ann"}[scope]
				sh, err := client.New(d.url(), d.named(who, scope, "api")).OpenShell(t.Context(), "api#1", client.ShellOptions{})
				if refused := new(client.Error); err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusForbidden) || (err == nil) != may {
					t.Errorf("with %s: %v", scope, err)
				}
				if err == nil {
					sh.Close()
					d.state.room.awaitLeft(t)
				}
			}
		})
	}
}

// TestAShellIsForPagesOfOurOwn: a browser's cookie is sent wherever the page is from that opens the WebSocket.
func TestAShellIsForPagesOfOurOwn(t *testing.T) {
	d, _ := shellDaemon(t)
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	for origin, want := range map[string]int{
		"https://elsewhere.example": http.StatusForbidden, "null": http.StatusForbidden, "http://" + d.addr + ".example": http.StatusForbidden,
		"http://" + d.addr: http.StatusSwitchingProtocols, "": http.StatusSwitchingProtocols,
	} {
		d.state.room = newRoom()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+"/api/v1/builds/api/1/shell", nil)
		req.Header.Set("Authorization", "Bearer "+testToken)
		for name, value := range upgrade {
			req.Header.Set(name, value)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("from a page of %q: %s, want %d", origin, resp.Status, want)
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			d.state.room.awaitLeft(t)
		}
	}
	session := &identity{session: true}
	r, _ := http.NewRequestWithContext(context.WithValue(t.Context(), callerKey{}, session), http.MethodGet, d.url(), nil)
	if d.handler.sameOrigin(r) == nil {
		t.Error("a browser's session without an Origin is let in")
	}
	if code, body := d.ask(asked{method: "GET", path: "/api/v1/builds/api/1/shell"}, testToken); code != http.StatusUpgradeRequired {
		t.Errorf("without an upgrade: %d %s", code, body)
	}
}
