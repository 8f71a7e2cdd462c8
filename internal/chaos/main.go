// Command chaos runs builds whose logs, exit statuses and artifacts are known in advance, while a seeded source of chance
// kills the daemon at random moments and between its durable steps, kills containers and the agents in them, cuts the
// engine, the git remote and the registry off, fills the disk and makes the clock jump. `make chaos N=300 SEED=7` runs
// it; docs/reliability.md says what it proves. Everything is judged: each build when it has ended, what is left when all
// have. Its exit status is 1 when something was lost, doubled or leaked, and 2 when it could not do its work.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	kills  int
	seed   uint64
	limit  time.Duration // after which no more kills begin
	binary string        // empty: it is built
	clock  bool          // whether the clock can be made to jump; the binary is built for it
	dir    string        // below which everything lies
	out    io.Writer
}

func main() {
	o := options{out: os.Stdout}
	flag.IntVar(&o.kills, "n", 20, "how many `kills`")
	flag.Uint64Var(&o.seed, "seed", 1, "of the source of chance")
	flag.DurationVar(&o.limit, "for", time.Hour, "how long to go on at most; fewer kills than asked for are told")
	flag.StringVar(&o.binary, "runner", "", "a runner `binary` that was built for this, in place of one that is built now")
	flag.BoolVar(&o.clock, "clock", false, "the binary of -runner has a clock that can jump")
	only := flag.String("build", "", "build the binary, with its clock, into this `directory`, and do nothing else")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "`directory` to work in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *only != "" {
		if _, err := buildBinary(ctx, *only, true); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(2)
		}
		return
	}
	status := run(ctx, o)
	stop()
	os.Exit(status)
}

// run is the whole of it. The last line it prints is the verdict.
func run(ctx context.Context, o options) (status int) {
	began := time.Now()
	dir, err := os.MkdirTemp(o.dir, "runner-chaos-")
	if err != nil {
		fmt.Fprintln(o.out, "error:", err)
		return 2
	}
	w, err := newWorld(ctx, o, dir)
	if err != nil {
		fmt.Fprintf(o.out, "error: setting up: %v\n", err)
		w.close()
		_ = os.RemoveAll(dir)
		return 2
	}
	kills, err := w.storm(ctx)
	if err == nil {
		err = w.aftermath(ctx)
	}
	switch {
	case ctx.Err() != nil:
		w.say("interrupted", "what is left was not looked for")
		status = 2
	case err != nil:
		w.judge.violation(lost, "the run came to no end: %v", err)
	}
	v := w.judge.verdict()
	w.say("builds", "%s; %d of %d failpoints reached; %s", w.judge.counts(), w.points.reached(), w.points.all(), time.Since(began).Round(time.Second))
	if missed := w.points.missed(); len(missed) > 0 {
		w.say("not reached", "%s", strings.Join(missed, " "))
	}
	if v.bad() {
		status = 1
		w.say("kept", "the data directory, %s, and the daemon's log, %s; a disk of its own goes with umount %s", w.daemon.data, filepath.Join(dir, logName), filepath.Join(dir, "disk"))
		w.say("again", "make chaos N=%d SEED=%d", o.kills, o.seed)
	}
	w.daemon.kill()
	if status != 1 {
		w.close()
		_ = os.RemoveAll(dir)
	} else {
		w.hangUp()
	}
	fmt.Fprintf(o.out, "chaos: %d kills, %d lost, %d doubled, %d leaked, seed %d\n", kills, v.lost, v.doubled, v.leaked, o.seed)
	return status
}
