package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

const (
	// clearWait is how long a daemon may take to remove what is left on the engine and on its disk.
	clearWait = 90 * time.Second
	// leaveWait is within which the daemon leaves after SIGTERM, with what a loaded machine adds.
	leaveWait = 15 * time.Second
)

// aftermath looks for what was lost and what is left, when all builds have ended.
func (w *world) aftermath(ctx context.Context) error {
	if err := w.triggers(ctx); err != nil {
		return err
	}
	// Without sandboxes that wait for jobs, nothing may be left.
	w.daemon.kill()
	if err := w.daemon.configure("off"); err != nil {
		return err
	}
	if err := w.daemon.start("", false); err != nil {
		return err
	}
	w.nothingLeft(ctx)
	if err := w.forgeKnows(ctx); err != nil {
		return err
	}
	took, err := w.daemon.leave()
	if err != nil {
		return err
	}
	if took > leaveWait {
		w.judge.violation(leaked, "the daemon took %s to leave", took)
	}
	if out, err := w.daemon.cli(ctx, w.dir, "check", "--config", w.daemon.config); err != nil {
		w.judge.violation(leaked, "runner check: %v", err)
	} else {
		w.say("check", "%s", strings.TrimSpace(out))
	}
	if _, err := os.Lstat(filepath.Join(w.daemon.data, "backup")); err == nil {
		w.judge.violation(leaked, "what a backup that broke off copied is left")
	}
	w.noMounts()
	w.noProcesses()
	return nil
}

// triggers compares what the daemon knows of triggers with what was accepted.
func (w *world) triggers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clearWait)
	defer cancel()
	all, unknown, byBuild := 0, 0, make(map[string]string)
	for cursor := ""; ; {
		var page client.Page[client.Trigger]
		err := insist(ctx, func() (err error) {
			page, err = w.daemon.api.Triggers(ctx, client.ListOptions{Cursor: cursor})
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the triggers: %w", err)
		}
		for _, t := range page.Items {
			all++
			w.trigger(t, byBuild)
			if _, known := w.users.known(t.ID); !known {
				unknown++
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	w.users.mu.Lock()
	defer w.users.mu.Unlock()
	if accepted := len(w.users.triggers) + unknown; all != accepted {
		w.judge.violation(lost, "%d triggers were accepted, %d are known", accepted, all)
	}
	if unknown > w.users.unsure {
		w.judge.violation(doubled, "%d triggers are of nobody, and only %d answers were lost", unknown, w.users.unsure)
	}
	return nil
}

// trigger checks what became of one.
func (w *world) trigger(t client.Trigger, byBuild map[string]string) {
	if len(t.Builds) != 1 && (t.Outcome != "skipped" || t.Reason == "") {
		w.judge.violation(lost, "trigger %s made %d builds and is %s (%q)", t.ID, len(t.Builds), t.Outcome, t.Reason)
	}
	if how, _ := w.users.known(t.ID); how == "deletion" && len(t.Builds) > 0 {
		w.judge.violation(doubled, "trigger %s tells of a branch that was deleted, and made %v", t.ID, t.Builds)
	}
	for _, id := range t.Builds {
		if other := byBuild[id]; other != "" {
			w.judge.violation(doubled, "the triggers %s and %s both made %s", other, t.ID, id)
		}
		byBuild[id] = t.ID
	}
}

// nothingLeft waits until the engine has nothing of the daemon's, and its disk no sandbox.
func (w *world) nothingLeft(ctx context.Context) {
	for deadline := time.Now().Add(clearWait); ; time.Sleep(200 * time.Millisecond) {
		var left []string
		for _, what := range []string{"container", "network", "volume"} {
			ids, err := w.daemon.onEngine(ctx, what)
			for _, id := range ids {
				left = append(left, what+" "+id)
			}
			if err != nil {
				left = append(left, err.Error())
			}
		}
		entries, _ := os.ReadDir(filepath.Join(w.daemon.data, "sandboxes"))
		for _, e := range entries {
			left = append(left, "sandboxes/"+e.Name())
		}
		for _, name := range w.witness.interfaces() { // a neighbour's job may have the address for a moment
			left = append(left, "interface "+name)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, l := range left {
				w.judge.violation(leaked, "%s is left", l)
			}
			return
		}
	}
}

// noMounts looks for what is still mounted below the data directory.
func (w *world) noMounts() {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		w.judge.violation(leaked, "the mounts cannot be read: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, w.daemon.data+"/") {
			w.judge.violation(leaked, "still mounted: %s", strings.TrimSpace(line))
		}
	}
}

// noProcesses looks for processes of the binary's, which include those that fetch for the daemon.
func (w *world) noProcesses() {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.TrimSuffix(to, " (deleted)") == w.binary {
			w.judge.violation(leaked, "process %s still runs", filepath.Base(filepath.Dir(link)))
		}
	}
}
