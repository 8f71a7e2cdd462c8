package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

const (
	// tailLines is how many lines of the end of a log are shown.
	tailLines = 80
	// causeLines is how many are shown of a command that failed without a failed test.
	causeLines = 16
	// lineClip bounds a line in bytes; the page of the log has it whole.
	lineClip = 2000
)

// logTail is the end of one job's log.
type logTail struct {
	Build   string
	Job     *client.Job
	Attempt int
	Parts   []logPart
	Cut     bool // there is more before it
	Running bool
	Path    string // of this part alone
	Full    string // of the page of the whole log
	Raw     string // of the API, which has it as it was printed
	Trouble string // why there is none
}

// logPart is the output of one command, or what the agent says between commands.
type logPart struct {
	Command *client.LogSection // nil between commands
	Lines   []tailLine
	Open    bool
}

// tailLine is one line.
type tailLine struct {
	Number int64
	Text   template.HTML
	Ours   bool // the agent says it
}

// First is the number of the part's first line, by which a page that is live knows it again.
func (p logPart) First() int64 {
	if len(p.Lines) == 0 {
		return 0
	}
	return p.Lines[0].Number
}

// ID is what a part keeps while the page is live.
func (p logPart) ID() string {
	if p.Command != nil {
		return fmt.Sprintf("part-%d", p.Command.First)
	}
	return fmt.Sprintf("between-%d", p.First())
}

// Name is what the agent says first, of a part between commands.
func (p logPart) Name() template.HTML {
	if len(p.Lines) == 0 {
		return ""
	}
	return p.Lines[0].Text
}

// readTail reads the last lines of a job's log. Its failure is something to show, not the page's failure.
func (s *Site) readTail(v *visit, b client.Build, j *client.Job) *logTail {
	full := logPath(b.ID, j.ID, 0, 0)
	_, query, _ := strings.Cut(full, "?")
	out := &logTail{
		Build: b.ID, Job: j, Running: j.Attempt > 0 && j.Ended.IsZero() && b.Ended.IsZero(),
		Path: buildPath(b.ID) + "/tail?" + query, Full: full, Raw: apiBuildPath(b) + "/log?" + query,
	}
	if j.Attempt == 0 {
		return out
	}
	place := client.LogPlace{Job: j.ID}
	lines, err := s.Client.LogLines(v.Context(), b.ID, place, client.LineRange{From: -tailLines, Count: tailLines})
	if err != nil {
		out.Trouble = err.Error()
		return out
	}
	outline, err := s.Client.LogOutline(v.Context(), b.ID, client.LogPlace{Job: j.ID, Attempt: lines.Attempt})
	if err != nil {
		out.Trouble = err.Error()
		return out
	}
	out.Cut, out.Attempt = lines.First > 1, lines.Attempt
	out.fold(lines, outline.Sections)
	return out
}

// fold puts each line to the command that printed it. What the agent says once a command has ended is nobody's.
func (t *logTail) fold(lines client.LogLines, sections []client.LogSection) {
	commands := slices.DeleteFunc(slices.Clone(sections), func(s client.LogSection) bool { return s.Kind != "command" })
	for i, text := range lines.Lines {
		n := lines.First + int64(i)
		at := slices.IndexFunc(commands, func(s client.LogSection) bool { return n >= s.First && n < s.First+s.Lines })
		ours := own.MatchString(text)
		var command *client.LogSection
		if at >= 0 && (!ours || commands[at].First == n) {
			command = &commands[at]
		}
		if last := len(t.Parts) - 1; last < 0 || t.Parts[last].Command != command {
			t.Parts = append(t.Parts, logPart{Command: command})
		}
		if ours {
			text = own.ReplaceAllString(text, "")
		}
		part := &t.Parts[len(t.Parts)-1]
		part.Lines = append(part.Lines, tailLine{n, logText(cutLine(text)), ours})
	}
	last := len(t.Parts) - 1
	for last > 0 && t.Parts[last].Command == nil {
		last--
	}
	for i := range t.Parts {
		p := &t.Parts[i]
		p.Open = i == last || p.Command != nil && p.Command.Exit != 0
	}
}

// cutLine cuts a line that is longer than anybody reads here.
func cutLine(text string) string {
	if len(text) > lineClip {
		return strings.ToValidUTF8(text[:lineClip], "") + "…"
	}
	return text
}

// causeOf is the last lines of what failed, and where the log has them.
type causeOf struct {
	Lines []tailLine
	Path  string
}

// Cause is the last lines of the command that failed, or else of the job, without what we say ourselves.
func (t *logTail) Cause() causeOf {
	out := causeOf{Path: t.Full}
	if out.Lines = t.causeLines(); len(out.Lines) > 0 {
		out.Path = logPath(t.Build, t.Job.ID, t.Attempt, out.Lines[len(out.Lines)-1].Number)
	}
	return out
}

func (t *logTail) causeLines() (lines []tailLine) {
	for _, p := range t.Parts {
		if p.Command != nil && p.Command.Exit != 0 {
			lines = nil
		}
		for _, l := range p.Lines {
			if !l.Ours {
				lines = append(lines, l)
			}
		}
		if p.Command != nil && p.Command.Exit != 0 {
			break
		}
	}
	return lines[max(0, len(lines)-causeLines):]
}

// tail answers with the end of a log alone, which the page of a build that runs puts in the place of what it has.
func (s *Site) tail(w http.ResponseWriter, v *visit) error {
	b, err := s.theBuild(v)
	if err != nil {
		return err
	}
	j := jobOf(b.Jobs, v.URL.Query().Get("job"))
	if j == nil {
		return &client.Error{Status: http.StatusNotFound, Detail: "the build has no such job", Hint: "its page lists them"}
	}
	var part bytes.Buffer
	if err := s.templates["build"].ExecuteTemplate(&part, "tail", s.readTail(v, b, j)); err != nil {
		return fmt.Errorf("rendering the end of a log: %w", err)
	}
	sendHTML(w, v, http.StatusOK, part.Bytes())
	return nil
}
