package terminal

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"github.com/runner-ci/runner/client"
)

// Watching says what is watched: one build, or all builds, perhaps of one project.
type Watching struct {
	Build   string // id; "": all
	Project string
	Address string                             // of the daemon
	Page    func(build string) (string, error) // where a browser sees a build
	In      *os.File                           // where keys come from
}

// ErrLeft is what Watch returns when its reader left a build that goes on.
var ErrLeft = errors.New("the watch was left")

// Watch shows what happens until its reader leaves or, of one build, until that has ended: then it returns its last state.
// On a terminal it fills the screen and takes keys; elsewhere each change is a line. A daemon that restarts is waited for.
func Watch(outer context.Context, src WatchSource, w Watching, o *Output) (client.Build, error) {
	if !o.Live() || w.In == nil || !term.IsTerminal(w.In.Fd()) {
		return watchLines(outer, src, w, o)
	}
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	m := newWatcher(ctx, src, w, o.color)
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(w.In), tea.WithOutput(o.w), tea.WithoutSignalHandler())
	m.send = func(msg any) { p.Send(msg) }
	_, err := p.Run()
	cancel()
	m.feeds.running.Wait()
	switch {
	case m.err != nil:
		return m.last, m.err
	case outer.Err() != nil:
		return m.last, context.Cause(outer)
	}
	return m.last, err
}

// watcher is the model of the program. Its methods are called one at a time.
type watcher struct {
	ctx           context.Context
	src           WatchSource
	what          Watching
	send          func(any)
	width, height int
	trouble       string // why nothing comes
	list          listPane
	pane          *buildPane // nil: the list is shown
	feeds         feeds
	build, log    *feed // of the pane
	last          client.Build
	err           error
}

func newWatcher(ctx context.Context, src WatchSource, w Watching, color bool) *watcher {
	title := "builds of " + w.Address
	if w.Project != "" {
		title = "builds of " + w.Project + " on " + w.Address
	}
	m := &watcher{ctx: ctx, src: src, what: w, list: listPane{o: &Output{color: color}, title: title}}
	return m
}

// Init begins to ask for what is watched.
func (m *watcher) Init() tea.Cmd {
	if m.what.Build != "" {
		m.open(m.what.Build)
	} else {
		m.feeds.begin(m.ctx, "", bringBuilds(m.src, m.what.Project, m.send))
	}
	return tick()
}

// ticked lets time pass on the screen.
type ticked struct{}

func tick() tea.Cmd { return tea.Tick(redraw, func(time.Time) tea.Msg { return ticked{} }) }

// Update takes a key or news.
func (m *watcher) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case ticked:
		return m, tick()
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	case newBuilds:
		return m, m.seeBuilds(msg)
	case newBuild:
		m.seeBuild(msg)
	case buildOver:
		return m, m.seeEnd(msg)
	case newLog:
		if m.pane != nil && m.log == msg.from {
			m.pane.log.add(msg.text)
		}
	}
	return m, nil
}

func (m *watcher) seeBuilds(msg newBuilds) tea.Cmd {
	switch {
	case msg.err == nil:
		m.trouble = ""
		m.list.builds, m.list.at, m.list.came = msg.builds, time.Now(), true
	case refused(msg.err), !m.list.came:
		m.err = msg.err
		return tea.Quit
	default:
		m.trouble = "the daemon does not answer; asking again"
	}
	return nil
}

func (m *watcher) seeBuild(msg newBuild) {
	if m.pane == nil || m.build != msg.from {
		return
	}
	m.pane.build, m.pane.at = msg.build, time.Now()
	m.last = msg.build
	m.followLog()
}

func (m *watcher) seeEnd(msg buildOver) tea.Cmd {
	if m.build != msg.from {
		return nil
	}
	if m.what.Build == "" {
		if msg.err != nil {
			m.trouble = msg.err.Error()
		}
		return nil
	}
	m.err = msg.err
	return tea.Quit
}

// open shows one build.
func (m *watcher) open(id string) {
	m.pane = &buildPane{o: m.list.o, build: client.Build{ID: id, Status: inProgress, Created: time.Now()}, at: time.Now(), logOn: true}
	m.build = m.instead(m.build, id, bringBuild(m.src, id, m.send))
	m.log = m.instead(m.log, "", nil)
	m.trouble = ""
}

// close goes back to the list.
func (m *watcher) close() {
	m.pane = nil
	m.build, m.log = m.instead(m.build, "", nil), m.instead(m.log, "", nil)
	m.trouble = ""
}

// instead stops a feed, and begins another one in its place.
func (m *watcher) instead(old *feed, of string, bring func(context.Context, *feed)) *feed {
	if old != nil {
		old.cancel()
	}
	if bring == nil {
		return nil
	}
	return m.feeds.begin(m.ctx, of, bring)
}

// followLog has the log read that the pane wants, and no other.
func (m *watcher) followLog() {
	job := m.pane.followed()
	if m.log == nil && job == "" || m.log != nil && m.log.of == job {
		return
	}
	m.pane.log = logTail{}
	if job == "" {
		m.log = m.instead(m.log, "", nil)
		return
	}
	m.log = m.instead(m.log, job, bringLog(m.src, m.pane.build.ID, m.pane.build.Jobs[m.pane.chosen()], m.send))
}

// key does what a key says.
func (m *watcher) key(key string) tea.Cmd {
	switch key {
	case "q", "ctrl+c":
		if m.what.Build != "" {
			m.err = ErrLeft
		}
		return tea.Quit
	}
	if m.pane == nil {
		m.listKey(key)
		return nil
	}
	switch key {
	case "up", "k":
		m.pane.choose(-1)
	case "down", "j":
		m.pane.choose(1)
	case "l":
		m.pane.logOn = !m.pane.logOn
	case "o":
		m.pane.showed = m.address(m.pane.build.ID)
	case "left", "h", "esc", "backspace":
		if m.what.Build == "" {
			m.close()
			return nil
		}
	}
	m.followLog()
	return nil
}

func (m *watcher) listKey(key string) {
	switch key {
	case "up", "k":
		m.list.choose(-1)
	case "down", "j":
		m.list.choose(1)
	case "enter", "right", "l":
		if i := m.list.chosen(); i >= 0 {
			m.list.pick = m.list.builds[i].ID
			m.open(m.list.pick)
		}
	case "o":
		if i := m.list.chosen(); i >= 0 {
			m.list.pick = m.list.builds[i].ID
			m.list.showed = m.address(m.list.pick)
		}
	}
}

// address is where a browser sees a build.
func (m *watcher) address(id string) string {
	page, err := m.what.Page(id)
	if err != nil {
		return oneLine(err.Error())
	}
	return page
}

// View is the screen.
func (m *watcher) View() tea.View {
	v := tea.NewView(strings.Join(m.screen(time.Now()), "\n"))
	v.AltScreen = true
	return v
}

// screen is what fills the terminal: nothing before its size is known.
func (m *watcher) screen(now time.Time) []string {
	if m.width <= 0 || m.height <= 0 {
		return nil
	}
	var lines []string
	switch {
	case m.pane == nil:
		lines = m.list.lines(m.width, m.height, now, m.keys("↑↓ choose · enter watch it · o address · q quit"))
	case m.what.Build == "":
		lines = m.pane.lines(m.width, m.height, now, m.keys("↑↓ job · l log · o address · ← all builds · q quit"))
	default:
		lines = m.pane.lines(m.width, m.height, now, m.keys("↑↓ job · l log · o address · q quit"))
	}
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "…")
	}
	return lines
}

func (m *watcher) keys(text string) string {
	if m.trouble != "" {
		return oneLine(m.trouble) + " · " + text
	}
	return text
}
