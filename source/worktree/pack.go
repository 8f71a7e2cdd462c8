package worktree

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
)

// Pack writes a thin packfile with what a commit needs beyond what the commits in have need, and tells how many
// bytes and objects that were. Names in have that the repository does not know are passed over.
func Pack(ctx context.Context, root, commit string, have []string, w io.Writer) (bytes int64, objects int, err error) {
	known, err := existing(ctx, root, have)
	if err != nil {
		return 0, 0, err
	}
	return packBeyond(ctx, root, commit, known, w)
}

// packBeyond is Pack for commits that are there.
func packBeyond(ctx context.Context, root, commit string, known []string, w io.Writer) (bytes int64, objects int, err error) {
	var revs strings.Builder
	fmt.Fprintln(&revs, commit)
	for _, id := range known {
		// The tree is named, too: of commits that are no ancestors git leaves out nothing by itself.
		fmt.Fprintf(&revs, "^%s\n^%s^{tree}\n", id, id)
	}
	out := &packCounter{w: w}
	c := call{dir: root, stdin: strings.NewReader(revs.String()), stdout: out}
	_, err = c.run(ctx, "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q")
	if err == nil {
		err = out.err
	}
	return out.n, out.objects(), err
}

// existing passes on the commits that the repository has.
func existing(ctx context.Context, root string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	c := call{dir: root, stdin: strings.NewReader(strings.Join(ids, "\n") + "\n")}
	out, err := c.run(ctx, "cat-file", "--batch-check=%(objecttype) %(objectname)")
	if err != nil {
		return nil, err
	}
	var known []string
	for line := range strings.Lines(out) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "commit "); ok {
			known = append(known, id)
		}
	}
	return known, nil
}

// packCounter passes a packfile on and reads the number of objects in its header.
type packCounter struct {
	w    io.Writer
	n    int64
	head [12]byte
	err  error // of writing, which git would only call a broken pipe
}

func (p *packCounter) Write(b []byte) (int, error) {
	if p.n < int64(len(p.head)) {
		copy(p.head[p.n:], b)
	}
	n, err := p.w.Write(b)
	p.n += int64(n)
	if err != nil {
		p.err = err
	}
	return n, err
}

func (p *packCounter) objects() int {
	if p.n < int64(len(p.head)) {
		return 0
	}
	return int(binary.BigEndian.Uint32(p.head[8:]))
}

// Ancestors lists a commit's ancestors, itself first: the nearest ones, then ever fewer of the older, at most limit.
// They are what a daemon is asked about, to find how much it needs to be sent. The branches that the remote had when
// the laptop last looked come along, since those a daemon is most likely to have.
func Ancestors(ctx context.Context, root, commit string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	spaced := &sampler{}
	c := call{dir: root, stdout: spaced}
	if _, err := c.run(ctx, "rev-list", "--first-parent", "--max-count="+strconv.Itoa(maxHistory), commit); err != nil {
		return nil, err
	}
	tracked, err := call{dir: root}.run(ctx, "for-each-ref", "--format=%(objectname)", "--sort=-committerdate",
		"--count=16", "refs/remotes")
	if err != nil {
		return nil, err
	}
	all, seen := []string(nil), make(map[string]bool)
	add := func(id string) {
		if id != "" && !seen[id] && len(all) < limit {
			seen[id] = true
			all = append(all, id)
		}
	}
	near, far := spaced.split()
	for _, id := range near {
		add(id)
	}
	for line := range strings.Lines(tracked) {
		add(strings.TrimSpace(line))
	}
	for _, id := range far {
		add(id)
	}
	return all, nil
}

// maxHistory bounds how far back a base is looked for. Whoever shares nothing within it is sent everything.
const maxHistory = 100_000

// sampler keeps of a list of commits the first ones and then those at doubling distances.
type sampler struct {
	line []byte
	n    int
	kept []string
}

// nearby is how many commits are kept before the gaps begin to grow.
const nearby = 8

func (s *sampler) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != '\n' {
			s.line = append(s.line, b)
			continue
		}
		if s.n < nearby || s.n%gap(s.n) == 0 {
			s.kept = append(s.kept, string(s.line))
		}
		s.n++
		s.line = s.line[:0]
	}
	return len(p), nil
}

// gap is how far apart the commits around the n-th are: four of each doubling are kept: 8, 10, 12, 14, 16, 20, ….
func gap(n int) int { return 1 << (bits.Len(uint(n)) - 1) / 4 }

// split parts the nearest commits from the others.
func (s *sampler) split() (near, far []string) {
	n := min(nearby, len(s.kept))
	return s.kept[:n], s.kept[n:]
}
