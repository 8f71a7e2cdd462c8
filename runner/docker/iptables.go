package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// iptables is the program for one family of addresses, in the variant that the engine uses: a machine may have two,
// and rules of the one are not seen by the other.
type iptables struct {
	program string // its path; "-restore" follows it for the other program
	six     bool
	seen    string // our lines of the listing after the last mending
	filled  string // what was asked for then
	plain   bool
}

// variants are suffixes of the programs' names.
var variants = []string{"", "-nft", "-legacy"}

// findIPTables finds the variant whose tables the engine has its rules in, or else the first that works. The program
// for IPv6 may be missing.
func findIPTables(ctx context.Context) (four, six *iptables, err error) {
	var errs []error
	for _, variant := range variants {
		path, err := lookProgram("iptables" + variant)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t := &iptables{program: path}
		listing, err := t.run(ctx, "-S")
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case four != nil && !strings.Contains(listing, "-N DOCKER"):
			continue
		}
		four, six = t, nil
		if path, err := lookProgram("ip6tables" + variant); err == nil {
			six = &iptables{program: path, six: true}
		}
		if strings.Contains(listing, "-N DOCKER") {
			break
		}
	}
	if four == nil {
		return nil, nil, fmt.Errorf("the firewall cannot be set from here: %w", errs[0])
	}
	return four, six, nil
}

// lookProgram also looks where only root's PATH leads.
func lookProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if err == nil {
			break
		}
		if found, ferr := exec.LookPath(filepath.Join(dir, name)); ferr == nil {
			return found, nil
		}
	}
	return path, err
}

// lockWait is how many seconds the program waits for others that change the firewall.
const lockWait = "5"

func (t *iptables) run(ctx context.Context, args ...string) (string, error) {
	return t.runWith(ctx, t.program, "", append([]string{"-w", lockWait}, args...)...)
}

func (t *iptables) runWith(ctx context.Context, program, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &said
	err := cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		err = fmt.Errorf("%w: %s", err, cut(strings.ReplaceAll(text, "\n", "; ")))
	}
	return "", fmt.Errorf("%s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
}

// mend makes the rules as they should be. Where nothing has changed since the last time, it only looks.
func (t *iptables) mend(ctx context.Context, rules wallRules) error {
	listing, err := t.run(ctx, "-S")
	if err != nil {
		return err
	}
	rules.plain = t.plain
	rules.former = strings.Contains(listing, "-N "+ownChain(rules.instance)+"\n")
	if t.seen != "" && rules.ours(listing) == t.seen && rules.restore() == t.filled {
		return nil
	}
	t.seen = ""
	if err := t.fill(ctx, &rules); err != nil {
		return err
	}
	for _, j := range rules.jumps(strings.Contains(listing, "-N DOCKER-USER\n")) {
		if _, err := t.run(ctx, append([]string{"-C", j.from}, j.spec()...)...); err == nil {
			continue
		}
		if _, err := t.run(ctx, append([]string{"-I", j.from, "1"}, j.spec()...)...); err != nil {
			return err
		}
	}
	listing, err = t.run(ctx, "-S")
	t.seen, t.filled = rules.ours(listing), rules.restore()
	return err
}

// fill replaces the rules of our chains, with less if the kernel does not have all that we would like.
func (t *iptables) fill(ctx context.Context, rules *wallRules) error {
	rules.plain = t.plain
	restore := func() error {
		_, err := t.runWith(ctx, t.program+"-restore", rules.restore(), "-w", lockWait, "--noflush")
		return err
	}
	err := restore()
	if err == nil || rules.plain {
		return err
	}
	rules.plain = true
	if perr := restore(); perr != nil {
		return errors.Join(err, perr)
	}
	t.plain = true
	return nil
}
