package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// result is everything that a run came to.
type result struct {
	Date       time.Time `json:"date"`
	Commit     string    `json:"commit,omitempty"`
	Machine    string    `json:"machine"`
	CPUs       int       `json:"cpus"`
	Go         string    `json:"go"`
	LoadBefore string    `json:"loadBefore,omitempty"` // of 1, 5 and 15 minutes
	LoadAfter  string    `json:"loadAfter,omitempty"`
	Figures    []line    `json:"figures"`
}

// here is the machine as it is before the run. What the system does not tell is left out.
func here() result {
	r := result{Date: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: load()}
	parts := []string{runtime.GOOS + "/" + runtime.GOARCH}
	if release := strings.TrimSpace(text("/proc/sys/kernel/osrelease")); release != "" {
		parts = append(parts, release)
	}
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		parts = append(parts, model)
	}
	if memory := field("/proc/meminfo", "MemTotal"); memory != "" {
		parts = append(parts, memory+" of memory")
	}
	r.Machine = strings.Join(parts, ", ")
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(commit))
	}
	return r
}

// load is the number of processes that run or wait to.
func load() string {
	fields := strings.Fields(text("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func text(path string) string {
	content, _ := os.ReadFile(path) // not there on other systems
	return string(content)
}

// field is the value of the first line of a file that has the name.
func field(path, name string) string {
	for l := range strings.Lines(text(path)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// print writes the table, then what is to be known of it.
func (r result) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\tours\ttheirs\tratio\tgoal\tverdict\tunit\truns")
	for _, l := range r.Figures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", l.Name, short(l.Ours), short(l.Theirs), short(l.Ratio), l.goal, l.Verdict, l.Unit, l.Runs)
	}
	w.Flush()
	for _, l := range r.Figures {
		if l.Note != "" {
			fmt.Fprintf(to, "# %s: %s\n", l.Name, l.Note)
		}
	}
	fmt.Fprintf(to, "# %s, %d CPUs, %s, commit %s\n", r.Machine, r.CPUs, r.Go, r.Commit)
	fmt.Fprintf(to, "# %s, load %s before and %s after\n", r.Date.Format(time.RFC3339), r.LoadBefore, r.LoadAfter)
}

// short writes a number with three or four digits that say something, and - for none.
func short(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// write writes the same as JSON to a file, if one is named.
func (r result) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	return nil
}
