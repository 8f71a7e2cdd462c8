package quarantine

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// begin is what a new file begins with.
const begin = `# Tests whose failures do not count until the day that their entry names, the last one included, in UTC.
# Each has an owner, who mends it.
`

// Add puts an entry at the end of a file's text, which keeps its comments. An entry that would not be in force is an
// error, and so is one for a test that has one.
func Add(name string, text []byte, e Entry, now time.Time) ([]byte, error) {
	old, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(old, func(o Entry) bool { return plain(o.Test) == plain(e.Test) }); at >= 0 {
		return nil, fmt.Errorf("%s is in quarantine already, by line %d of %s: owned by %s, until %s; change that entry, or remove it first", e.Test, old[at].Line, name, old[at].Owner, old[at].Until)
	}
	entry := "- test: " + yamlText(e.Test) + "\n  owner: " + yamlText(e.Owner) + "\n  until: " + e.Until + "\n"
	if e.Reason != "" {
		entry += "  reason: " + yamlText(e.Reason) + "\n"
	}
	if _, err := Parse(name, []byte(entry)); err != nil {
		return nil, fmt.Errorf("the entry cannot be added: %w", err)
	}
	switch e.State(now) {
	case Expired:
		return nil, fmt.Errorf("%s is over; name a day from today on", e.Until)
	case TooLong:
		return nil, fmt.Errorf("%s is more than %d days ahead, and a quarantine without end is a deleted test; name a day up to %s", e.Until, MaxDays, now.UTC().AddDate(0, 0, MaxDays).Format(time.DateOnly))
	}
	in := ""
	if len(old) > 0 {
		line := strings.Split(string(text), "\n")[old[0].Line-1]
		in = line[:len(line)-len(strings.TrimLeft(line, " "))]
	}
	made := strings.TrimRight(string(text), "\n") + "\n"
	if strings.TrimSpace(string(text)) == "" {
		made = begin
	}
	for line := range strings.Lines(entry) {
		made += in + line
	}
	return check(name, []byte(made), append(slices.Clone(old), e))
}

// Remove takes the entry for a test out of a file's text, which keeps its other comments. What stands above an entry is
// taken for its comment.
func Remove(name string, text []byte, test string) ([]byte, error) {
	old, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(old, func(e Entry) bool { return plain(e.Test) == plain(test) })
	if at < 0 {
		return nil, fmt.Errorf("%s has no entry for %s; runner tests quarantine lists those there are", name, test)
	}
	lines := strings.SplitAfter(string(text), "\n")
	from, to := old[at].Line-1, len(lines)
	if at+1 < len(old) {
		to = above(lines, old[at+1].Line-1)
	}
	if at > 0 {
		from = above(lines, from)
	}
	made := strings.Join(slices.Delete(lines, from, to), "")
	return check(name, []byte(made), slices.Delete(slices.Clone(old), at, at+1))
}

// above is the first of the comments that stand directly above a line.
func above(lines []string, line int) int {
	for line > 0 && strings.HasPrefix(strings.TrimSpace(lines[line-1]), "#") {
		line--
	}
	return line
}

// check sees that an edited text says what it should: the way a file is written may be one that is not foreseen.
func check(name string, text []byte, want List) ([]byte, error) {
	same := func(a, b Entry) bool { a.Line, b.Line = 0, 0; return a == b }
	got, err := Parse(name, text)
	if err != nil || !slices.EqualFunc(got, want, same) {
		return nil, fmt.Errorf("%s is written in a way that this command does not change safely; edit it by hand", name)
	}
	return text, nil
}

// yamlText writes a text as YAML.
func yamlText(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
