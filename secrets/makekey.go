package secrets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// make writes a new identity into a file of mode 0600, in a directory of mode 0700 if it has to make that too: whole
// or not at all, and never over one that is there.
func (k KeyFile) make(data string) error {
	if k.Credential {
		return say(ErrLocked, "%s is empty of a key, and a systemd credential is not made here", k.Path)
	}
	if err := k.outside(data); err != nil {
		return err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	text := fmt.Sprintf("# The key of runner's secret store. Without it no secret can be read: keep a copy, and keep it apart\n"+
		"# from copies of the data directory.\n# public key: %s\n%s\n", id.Recipient(), id)
	if err := writeOnce(k.Path, text); err != nil {
		return say(ErrLocked, "the key of the secret store could not be made: %v; name a file that can be made with --key-file, or make one with age-keygen", err)
	}
	return nil
}

// writeOnce links a complete file into its place, which fails where another process was faster; that one's is as good.
func writeOnce(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".key-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
