package secrets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"filippo.io/age"
)

// envelope is what is sealed: the value with the place it belongs to, so that who can write to the file cannot move a
// value under a name that more builds may have.
type envelope struct {
	Name    string `json:"name"`
	Project string `json:"project"`
	Version string `json:"version"`
	Value   string `json:"value"`
}

func (k *keys) seal(e envelope) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", e.Name, err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.recipient)
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", e.Name, err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("sealing %s: %w", e.Name, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sealing %s: %w", e.Name, err)
	}
	return out.Bytes(), nil
}

// open opens a sealed value, and holds it against the place where it was found.
func (k *keys) open(sealed []byte, name, project, version string) (string, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k.all...)
	if err != nil {
		return "", fmt.Errorf("version %s of %s cannot be opened with the key in %s: %w; the file is damaged, restore a backup or set the secret again", version, shown(name), k.path, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("version %s of %s is damaged: %w; restore a backup or set the secret again", version, shown(name), err)
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return "", fmt.Errorf("version %s of %s is damaged: what was sealed is no value of ours", version, shown(name))
	}
	if e.Name != name || e.Project != project || e.Version != version {
		return "", fmt.Errorf("version %s of %s holds the value of another secret: somebody changed the file; set the secret again", version, shown(name))
	}
	return e.Value, nil
}
