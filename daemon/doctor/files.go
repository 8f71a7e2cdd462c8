package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/runner-ci/runner/daemon"
	"github.com/runner-ci/runner/secrets"
)

// stores are the databases of a data directory; private is all in it that others may not read.
var (
	stores  = []string{"state.db", "artifacts.db", "tests.db", "secrets.db", "access.db"}
	private = append([]string{"token"}, stores...)
)

func (p *patient) fileChecks() []check {
	return []check{
		{"data directory", checkTime, func(context.Context) []Finding { return p.dataDirectory() }},
		{"databases", checkTime, func(context.Context) []Finding { return p.databases() }},
		{"key", checkTime, func(context.Context) []Finding { return p.key() }},
	}
}

// dataDirectory sees who may write and read what the daemon keeps.
func (p *patient) dataDirectory() []Finding {
	data := p.cfg.Data
	if p.base != data {
		if err := writable(p.base); err != nil {
			return []Finding{failed("make it for the daemon's user (install -d -o NAME -m 711 "+data+"), or name another with data", "%s does not exist, and cannot be made: %v", data, err)}
		}
		return []Finding{well("%s will be made by the first start", data)}
	}
	st, err := os.Stat(data)
	if err != nil {
		return []Finding{failed("run the doctor as the user of the daemon", "%s: %v", data, err)}
	}
	var out []Finding
	if st.Mode().Perm()&0o022 != 0 {
		out = append(out, failed("chmod 711 "+data, "%s may be written by others (mode %04o): they can put a state of their own there", data, st.Mode().Perm()))
	}
	if owner, ok := ownerOf(st); ok && owner != os.Geteuid() {
		if os.Geteuid() != 0 {
			return append(out, failed("run it as that user, with sudo say", "%s belongs to user %d, and this is user %d: the daemon could not work as this one, nor the doctor look", data, owner, os.Geteuid()))
		}
		out = append(out, warned("let the daemon run as one user, always", "%s belongs to user %d, and this is root", data, owner))
	}
	if err := writable(data); err != nil {
		out = append(out, failed("let the daemon's user write there", "%s: %v", data, err))
	}
	for _, name := range private {
		if f, bad := secretFile(filepath.Join(data, name)); bad {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		out = append(out, well("%s is its owner's alone", data))
	}
	return out
}

// databases sees whether the files of a stopped daemon can be opened; one that runs would have ended.
func (p *patient) databases() (out []Finding) {
	if p.daemon.runs {
		return nil
	}
	there := 0
	for _, name := range stores {
		path := filepath.Join(p.cfg.Data, name)
		if st, err := os.Stat(path); err != nil || st.Size() == 0 {
			continue
		}
		there++
		if err := daemon.Sound(path); err != nil {
			what, mend := parted(err, "restore a backup (docs/operations.md)")
			out = append(out, failed(mend, "%s", what))
		}
	}
	if there > 0 && len(out) == 0 {
		out = append(out, well("%d files can be opened; runner check looks at all that is in them", there))
	}
	return out
}

// secretFile tells whether a file that is its owner's alone can be read or changed by others. One that is not there is well.
func secretFile(path string) (Finding, bool) {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Finding{}, false
	case err != nil:
		return failed("run the doctor as the user of the daemon", "%s: %v", path, err), true
	case !st.Mode().IsRegular():
		return failed("remove it, or put the file back from a backup", "%s is no regular file", path), true
	case st.Mode().Perm()&0o077 != 0:
		return failed("chmod 600 "+path, "%s can be read or changed by others (mode %04o)", path, st.Mode().Perm()), true
	}
	return Finding{}, false
}

func ownerOf(st fs.FileInfo) (uid int, known bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}

// writable tries to make a file.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// key sees whether secrets can be opened.
func (p *patient) key() []Finding {
	k := secrets.FindKey(p.cfg.Secrets.KeyFile)
	_, err := os.Stat(filepath.Join(p.cfg.Data, "secrets.db"))
	stored := err == nil
	switch err := k.Check(p.cfg.Data); {
	case err == nil:
		return []Finding{well("%s can be used; keep a copy of it away from the backups", k.Path)}
	case errors.Is(err, fs.ErrNotExist) && !stored && !k.Credential:
		return []Finding{p.keyToCome(k.Path)}
	default:
		what, mend := parted(err, "put the key where it belongs (docs/secrets.md#the-key)")
		if !stored {
			return []Finding{failed(mend, "no secret could be stored: %s", what)}
		}
		return []Finding{failed(mend, "builds that need a secret will fail: %s", what)}
	}
}

// keyToCome sees whether a key that is not there yet can be made.
func (p *patient) keyToCome(path string) Finding {
	if err := writable(existing(filepath.Dir(path))); err != nil {
		return warned("make the directory for the daemon's user, or name another file with secrets.key-file", "no secret is stored yet, and the key for the first one could not be made: %v", err)
	}
	return well("%s", fmt.Sprintf("no secret is stored yet; the first one makes %s", path))
}
