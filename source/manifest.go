package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/runner-ci/runner/source/pack"
)

// laid is what a snapshot's manifest says of one name in its tree: what it was made of, and what it was when it was made.
type laid struct {
	id   pack.ID
	mode mode
	part int    // of the snapshot's parts
	conv string // see attributes.Conversion.Key
	size int64
	when time.Time

	kept bool // a spare's: it is part of the new tree, too
}

// manifest is the name of the file, beside the tree, that holds a record for each name in it, parents before children. IDs of
// directories are zero.
//
//	MODE ID PART SIZE TIME CONVERSION<tab>PATH<zero byte>
//
// It is ours, written from what the plan knew. The job's own .git/index would not do: it knows no submodule's files, and
// nothing of conversions.
const manifest = "manifest"

func writeManifest(path string, p *plan) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	var line []byte
	for _, f := range slices.Concat(p.dirs, p.files, p.links) {
		line = strconv.AppendUint(line[:0], uint64(f.mode), 8)
		line = append(append(line, ' '), f.id.String()...)
		for _, n := range []int64{int64(f.part), f.size, f.when.Unix()} {
			line = strconv.AppendInt(append(line, ' '), n, 10)
		}
		line = append(append(line, ' '), f.conv.Key()...)
		line = append(append(append(line, '\t'), f.path...), 0)
		_, _ = w.Write(line) // Flush tells
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing the manifest of a snapshot: %w", err)
	}
	return nil
}

// readManifest returns the records by path.
func readManifest(path string) (map[string]*laid, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := bytes.Count(data, []byte{0})
	all, records := make(map[string]*laid, n), make([]laid, 0, n)
	for len(data) > 0 {
		record, rest, ended := bytes.Cut(data, []byte{0})
		head, name, ok := bytes.Cut(record, []byte{'\t'})
		l, good := parseLaid(head)
		if !ended || !ok || !good {
			return nil, fmt.Errorf("the manifest %s is damaged at %.100q", path, record)
		}
		records = append(records, l)
		all[string(name)] = &records[len(records)-1]
		data = rest
	}
	return all, nil
}

func parseLaid(head []byte) (l laid, ok bool) {
	var words [5]string
	rest := string(head)
	for i := range words {
		if words[i], rest, ok = strings.Cut(rest, " "); !ok {
			return l, false
		}
	}
	m, err := strconv.ParseUint(words[0], 8, 32)
	ok = err == nil && plumbing.IsHash(words[1])
	l.id = plumbing.NewHash(words[1])
	var n [3]int64
	for i := range n {
		n[i], err = strconv.ParseInt(words[2+i], 10, 64)
		ok = ok && err == nil
	}
	l.mode, l.part, l.conv, l.size, l.when = mode(m), int(n[0]), rest, n[1], time.Unix(n[2], 0)
	return l, ok
}
