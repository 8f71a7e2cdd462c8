//go:build linux

package runner_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/runner/wire"
)

// puppetArg makes this test binary an agent that does what its job's commands say, a word and what belongs to it each.
// It says what an agent, or a job that plays one, can say, at the moments that a test wants.
const puppetArg = "puppet"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == puppetArg {
		if err := puppetMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leak.Main(m)
}

type puppet struct {
	spool   string
	record  *wire.Writer // the spool's file
	out     *wire.Writer
	in      *wire.Reader
	job     *wire.Job
	said    []wire.Frame
	pending *wire.Request
	done    wire.Done
}

func puppetMain(args []string) error {
	flags := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		flags[args[i]] = args[i+1]
	}
	record, err := os.Create(filepath.Join(flags["-spool"], wire.SpoolFile))
	if err != nil {
		return err
	}
	in, err := os.OpenFile(flags["-in"], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(flags["-out"], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	p := &puppet{spool: flags["-spool"], record: wire.NewWriter(record), out: wire.NewWriter(out), in: wire.NewReader(in)}
	p.done = wire.Done{Status: wire.StatusSucceeded}
	if _, err := p.await(wire.KindJob); err != nil {
		return err
	}
	for _, line := range p.job.Phases[0].Commands {
		if err := p.obey(line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return p.say(p.done)
}

// say spools a frame and sends it.
func (p *puppet) say(body wire.Body) error {
	f, err := wire.Encode(uint64(len(p.said)+1), body)
	if err != nil {
		return err
	}
	p.said = append(p.said, f)
	return errors.Join(p.record.Write(f), p.out.Write(f))
}

func (p *puppet) print(format string, args ...any) error {
	return p.say(wire.Log{Data: fmt.Appendf(nil, format+"\n", args...)})
}

// await reads until a frame of a kind comes, and welcomes whoever attaches meanwhile.
func (p *puppet) await(kind wire.Kind) (wire.Frame, error) {
	for {
		f, err := p.in.Read()
		if err != nil {
			return f, err
		}
		switch f.Kind {
		case wire.KindHello:
			var h wire.Hello
			if err := wire.Decode(f, &h); err != nil {
				return f, err
			}
			if err := p.welcome(h); err != nil {
				return f, err
			}
		case wire.KindJob:
			p.job = &wire.Job{}
			if err := wire.Decode(f, p.job); err != nil {
				return f, err
			}
		}
		if f.Kind == kind {
			return f, nil
		}
	}
}

func (p *puppet) welcome(h wire.Hello) error {
	w := wire.Welcome{Protocol: wire.Protocol, Epoch: h.Epoch, LastFrame: uint64(len(p.said)), Request: p.pending}
	if p.job != nil {
		w.Attempt = p.job.Attempt
	}
	err := p.out.Send(0, w)
	for _, f := range p.said[min(h.LastFrame, uint64(len(p.said))):] {
		err = errors.Join(err, p.out.Write(f))
	}
	return err
}

// obey does what one line says.
func (p *puppet) obey(line string) error {
	words := strings.Fields(line)
	arg := func(i int) string {
		if i >= len(words) {
			return ""
		}
		return words[i]
	}
	switch words[0] {
	case "say":
		return p.print("%s", arg(1))
	case "restore": // key fallback…
		return p.ask(wire.Request{ID: uint64(len(p.said) + 1), Cache: &wire.CacheRequest{Key: arg(1), Fallback: words[min(2, len(words)):], Paths: "p"}})
	case "runtime":
		return p.ask(wire.Request{ID: uint64(len(p.said) + 1), Runtimes: &wire.RuntimesRequest{File: []byte("table"), Want: []wire.Var{{Name: arg(1), Value: arg(2)}}}})
	case "join": // strategy, names apart by commas
		list := strings.Split(arg(2), ",")
		name := filepath.Join(p.spool, wire.TestListFile(0))
		if _, err := os.Lstat(name); err != nil {
			if err := os.WriteFile(name, []byte(strings.Join(list, "\n")+"\n"), 0o600); err != nil {
				return err
			}
		}
		return p.askTests(wire.TestsRequest{Join: &wire.TestsJoin{Strategy: arg(1), Names: len(list)}})
	case "early": // number, content of the file
		name := filepath.Join(p.spool, "early-"+arg(1)+".tar")
		if err := os.WriteFile(name, []byte(arg(2)), 0o600); err != nil {
			return err
		}
		number, err := strconv.Atoi(arg(1))
		return errors.Join(err, p.say(wire.Early{Number: number, Groups: []wire.ReportGroup{{Name: "unit", Format: "JUNITXML"}}}))
	case "list":
		return os.WriteFile(filepath.Join(p.spool, wire.TestListFile(0)), []byte(strings.ReplaceAll(arg(1), "%FF", "\xff")), 0o600)
	case "take":
		return p.askTests(wire.TestsRequest{Take: &wire.TestsTake{Request: 7}})
	case "done":
		return p.askTests(wire.TestsRequest{Done: &wire.TestsDone{Token: 5, Exit: 1, Results: []wire.TestResult{{Item: 1, Outcome: "failed"}}}})
	case "alive":
		return p.out.Send(0, wire.Alive{Call: wire.TestCall{Phase: wire.PhaseBuild}, Token: 5})
	case "nonsense":
		return p.ask(wire.Request{ID: uint64(len(p.said) + 1)})
	case "wait": // for the next daemon, and not for an answer
		p.pending = &wire.Request{ID: 99, Cache: &wire.CacheRequest{Key: arg(1), Paths: "p"}}
		if _, err := p.await(wire.KindHello); err != nil {
			return err
		}
		return p.answered()
	case "flood":
		for id := range uint64(10_000) {
			if err := p.out.Send(0, wire.Request{ID: 1000 + id, Cache: &wire.CacheRequest{Paths: "p"}}); err != nil {
				return err
			}
		}
	case "welcomes": // as of an agent that has no job
		for range 1000 {
			if err := p.out.Send(0, wire.Welcome{Protocol: wire.Protocol}); err != nil {
				return err
			}
		}
	case "onefile":
		for i := range p.done.Secondary {
			p.done.Secondary[i].File = wire.SecondaryFile(0)
		}
	case "hang": // ends with the sandbox
		_, err := p.await("nothing")
		return err
	case "pause":
		if err := p.say(wire.Paused{Phase: wire.PhaseBuild}); err != nil {
			return err
		}
		f, err := p.await(wire.KindResume)
		if err != nil {
			return err
		}
		var r wire.Resume
		if err := wire.Decode(f, &r); err != nil {
			return err
		}
		return errors.Join(p.print("resumed by %s", r.By), p.say(wire.Resumed{Phase: wire.PhaseBuild}))
	default:
		return p.leave(words[0], arg(1), arg(2))
	}
	return nil
}

func (p *puppet) askTests(r wire.TestsRequest) error {
	r.Call = wire.TestCall{Phase: wire.PhaseBuild}
	return p.ask(wire.Request{ID: uint64(len(p.said) + 1), Tests: &r})
}

func (p *puppet) ask(r wire.Request) error {
	p.pending = &r
	if err := p.out.Send(0, r); err != nil {
		return err
	}
	return p.answered()
}

// answered waits for the answer to what is pending, and prints it.
func (p *puppet) answered() error {
	f, err := p.await(wire.KindAnswer)
	if err != nil {
		return err
	}
	var a wire.Answer
	if err := wire.Decode(f, &a); err != nil {
		return err
	}
	p.pending = nil
	switch {
	case a.Error != "":
		return p.print("error: %s", a.Error)
	case a.Tests != nil:
		return p.print("tests: %+v", *a.Tests)
	case a.Runtimes != nil:
		return p.print("runtimes: %+v", a.Runtimes.Selected)
	case a.Cache.Hit:
		text, err := os.ReadFile(filepath.Join(p.spool, a.Cache.File))
		return errors.Join(err, p.print("restored %s: %s (%d bytes)", a.Cache.Key, text, a.Cache.Bytes))
	}
	return p.print("no cache")
}

// leave leaves something for the daemon. Tars hold one file of the name that is given.
func (p *puppet) leave(what, name, text string) error {
	file := ""
	switch what {
	case "cache":
		p.done.Cache = &wire.Cache{File: "/etc/shadow", Key: name, Paths: "p", Files: 1}
		return os.WriteFile(filepath.Join(p.spool, wire.CacheFile), []byte(text), 0o600)
	case "artifacts":
		p.done.Artifacts, file = &wire.Artifacts{Name: text, Files: 1}, wire.ArtifactsFile
	case "secondary": // its id is text
		file = wire.SecondaryFile(len(p.done.Secondary))
		p.done.Secondary = append(p.done.Secondary, wire.Artifacts{ID: text, File: "../frames", Files: 1})
	case "reports":
		file = wire.ReportsFile
		p.done.Reports = &wire.Reports{File: file, Groups: []wire.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1}}}
	case "export":
		p.done.Exported = append(p.done.Exported, wire.Var{Name: name, Value: text})
		return nil
	case "context":
		return os.WriteFile(filepath.Join(p.spool, wire.ContextFile), tarOf(name), 0o600)
	case "end":
		p.done.Status, p.done.Reason, p.done.Retry = wire.Status(name), "command_failed", text == "retry"
		return nil
	case "sleep":
		d, err := time.ParseDuration(name)
		time.Sleep(d)
		return err
	case "link": // in place of a file of the spool
		return os.Symlink("/proc/version", filepath.Join(p.spool, name))
	default:
		return errors.New("a puppet does not know this")
	}
	if name == "-" { // announced, and not there
		return nil
	}
	return os.WriteFile(filepath.Join(p.spool, file), tarOf(name), 0o600)
}

func tarOf(name string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 4, Typeflag: tar.TypeReg})
	_, _ = w.Write([]byte("text"))
	_ = w.WriteHeader(&tar.Header{Name: "out", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink})
	_ = w.Close()
	return b.Bytes()
}
