package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newMan(a *app) *cobra.Command {
	return exits(&cobra.Command{
		Use:   "man [DIR]",
		Short: "Write the manual's pages, one for each command",
		Long: "Writes the manual's pages to a directory, which is made if need be: runner.1, runner-submit.1 and so on, made of what --help\n" +
			"prints. Without one it prints the page runner(1).",
		Example: "  runner man | man -l -\n  runner man /usr/local/share/man/man1\n  man runner-submit",
		Args:    needs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := fmt.Fprint(a.out, manPage(cmd.Root()))
				return err
			}
			return writeManual(a, cmd.Root(), args[0])
		},
	}, exitDone, exitTrouble)
}

// writeManual writes the page of each command that people see.
func writeManual(a *app, root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	pages := visible(root)
	for _, cmd := range pages {
		if err := os.WriteFile(filepath.Join(dir, manName(cmd)+".1"), []byte(manPage(cmd)), 0o644); err != nil {
			return fmt.Errorf("writing the manual: %w", err)
		}
	}
	a.view().Lines(fmt.Sprintf("wrote     %d pages to %s", len(pages), dir))
	return nil
}

// visible lists a command and all below it that people see.
func visible(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			all = append(all, visible(sub)...)
		}
	}
	return all
}

// manName is a command's page: "runner-project-add".
func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is a command's page in the language of man(7).
func manPage(cmd *cobra.Command) string {
	var p page
	p.line(fmt.Sprintf(`.TH %q "1" %q %q "Runner"`, strings.ToUpper(manName(cmd)), commitDay(), "runner "+release()))
	p.section("NAME")
	p.text(manName(cmd))
	p.line(`\- ` + roff(cmd.Short))
	p.section("SYNOPSIS")
	p.bold(synopsis(cmd))
	p.section("DESCRIPTION")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	p.paragraphs(long)
	p.commands(cmd)
	p.options(cmd)
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(cmd.Example)
	}
	if text := environment(cmd); text != "" {
		p.section("ENVIRONMENT")
		p.verbatim(text)
	}
	if text := cmd.Annotations["exit"]; text != "" {
		p.section("EXIT STATUS")
		p.verbatim(text)
	}
	p.seeAlso(cmd)
	return p.String()
}

func synopsis(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() && !strings.Contains(cmd.Use, " ") {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	return useLine(cmd)
}

// commitDay is the day of the commit that this binary was made of, so that the same binary makes the same pages.
func commitDay() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" && len(s.Value) >= len("2026-01-31") {
				return s.Value[:len("2026-01-31")]
			}
		}
	}
	return ""
}

// page is a page as it is written.
type page struct{ strings.Builder }

func (p *page) line(text string) { p.WriteString(text + "\n") }

func (p *page) section(title string) { p.line(`.SH "` + title + `"`) }

// text writes words of ours, and no command of the language.
func (p *page) text(text string) { p.line(roff(text)) }

func (p *page) bold(text string) { p.line(".B " + roff(text)) }

// paragraphs writes texts with blank lines between them. What is set in columns stays so.
func (p *page) paragraphs(text string) {
	for i, part := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		if strings.Contains(part, "   ") {
			p.verbatim(part)
			continue
		}
		for line := range strings.Lines(part) {
			p.text(strings.TrimSpace(line))
		}
	}
}

// verbatim writes lines as they are.
func (p *page) verbatim(text string) {
	p.line(".nf")
	for line := range strings.Lines(text) {
		p.text(strings.TrimRight(line, "\n"))
	}
	p.line(".fi")
}

func (p *page) commands(cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	for _, sub := range visible(cmd)[1:] {
		if sub.Parent() == cmd {
			p.line(".TP")
			p.bold(manName(sub) + "(1)")
			p.text(sub.Short)
		}
	}
}

func (p *page) options(cmd *cobra.Command) {
	p.section("OPTIONS")
	for _, f := range flagRows(cmd) {
		p.line(".TP")
		spelled := `\fB` + roff("--"+f.name) + `\fR`
		if f.word != "" {
			spelled += ` \fI` + roff(f.word) + `\fR`
		}
		if f.short != "" {
			spelled = `\fB` + roff("-"+f.short) + `\fR, ` + spelled
		}
		p.line(spelled)
		p.text(f.usage)
	}
	p.line(".TP")
	p.line(`\fB\-h\fR, \fB\-\-help\fR`)
	p.text("print what stands here")
}

func (p *page) seeAlso(cmd *cobra.Command) {
	var names []string
	if cmd.HasParent() {
		names = append(names, manName(cmd.Parent()))
		for _, sister := range cmd.Parent().Commands() {
			if cmd.Parent().HasParent() && sister != cmd && !sister.Hidden {
				names = append(names, manName(sister))
			}
		}
	}
	if len(names) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, name := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		p.line(`\fB` + roff(name) + `\fR(1)` + comma)
	}
}

// escapes are the characters that the language of man(7) would take for its own, or print as others than were meant.
var escapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", `\&...`)

// roff makes a text one of man(7). A dot at its beginning would be a command.
func roff(text string) string {
	text = escapes.Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
