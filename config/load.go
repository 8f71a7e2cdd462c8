package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile bounds a configuration file in bytes: thousands of projects fit, a mistyped path to something else
// does not.
const maxFile = 4 << 20

// Load reads and checks a configuration file. Paths in it are relative to its directory. What is wrong in it is
// returned as Problems.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no configuration file %s", path)
	case err != nil:
		return nil, fmt.Errorf("reading the configuration: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory; the configuration is a file, usually runner.yml", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes; a configuration has at most %d", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return parse(path, data, (*Config).checkFiles)
}

// Parse checks the text of a configuration file and lays it over Default. The name is used in messages, and
// relative paths are taken from its directory. Its error is Problems, with all that is wrong at once.
func Parse(name string, data []byte) (*Config, error) { return parse(name, data) }

func parse(name string, data []byte, more ...func(*Config) faults) (*Config, error) {
	d := newDecoder(name, data)
	if len(data) > maxFile {
		d.add(nil, 0, fmt.Sprintf("the file has %d bytes; a configuration has at most %d", len(data), maxFile), "")
		return nil, d.finish()
	}
	if !utf8.Valid(data) {
		d.add(nil, 0, "the file is not UTF-8 text", "")
		return nil, d.finish()
	}
	root := d.parse(data)
	c := Default()
	c.URL = ""
	if root != nil {
		d.root(root, c)
	}
	if len(d.problems) > 0 && d.unreadable {
		return nil, d.finish()
	}
	c.absolute(filepath.Dir(name))
	c.fill()
	for _, check := range append(more, (*Config).check) {
		for _, p := range check(c) {
			d.addAt(p)
		}
	}
	if len(d.problems) > 0 {
		return nil, d.finish()
	}
	return c, nil
}

// parse turns the text into nodes. nil means an empty document, or a problem that was added.
func (d *decoder) parse(data []byte) (root ast.Node) {
	defer func() {
		// The YAML library is given hostile text by fuzzing and files by people; what it cannot take is an
		// answer, not a crash.
		if r := recover(); r != nil {
			d.unreadable, root = true, nil
			d.add(nil, 0, fmt.Sprintf("the YAML cannot be read: %v", r), "simplify the file until it is read")
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		d.unreadable = true
		var yamlError yaml.Error
		if errors.As(err, &yamlError) {
			d.add(yamlError.GetToken(), 1, "this is not YAML: "+yamlError.GetMessage(), yamlHint(yamlError.GetMessage()))
		} else {
			d.add(nil, 0, "this is not YAML: "+err.Error(), "")
		}
		return nil
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			p := positionOf(doc.Body)
			d.add(p.token, p.width, "a second YAML document begins here", "put everything into one document")
			return root
		}
		root = doc.Body
	}
	return root
}

func yamlHint(message string) string {
	switch {
	case strings.Contains(message, "already defined"), strings.Contains(message, "duplicate"):
		return "merge the two, or remove one"
	case strings.Contains(message, "tab"):
		return "indent with blanks, never with tabs"
	}
	return ""
}

// absolute makes the paths of a configuration file absolute, from the directory it is in.
func (c *Config) absolute(dir string) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	path := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	path(&c.Data)
	path(&c.CABundle)
	path(&c.TLS.Certificate)
	path(&c.TLS.Key)
	c.Access.OIDC.ClientSecret = c.Access.OIDC.ClientSecret.absolute(dir)
	for i := range c.Engines {
		path(&c.Engines[i].Seccomp)
	}
	path(&c.Secrets.KeyFile)
	for name, value := range c.Telemetry.OTLP.Headers {
		c.Telemetry.OTLP.Headers[name] = value.absolute(dir)
	}
	for i := range c.Registries {
		c.Registries[i].Password = c.Registries[i].Password.absolute(dir)
	}
	c.SMTP.Password = c.SMTP.Password.absolute(dir)
	absoluteNotifications(c.Notifications, dir)
	for i := range c.Projects {
		absoluteNotifications(c.Projects[i].Notifications, dir)
		for _, s := range c.Projects[i].secrets() {
			*s.value = s.value.absolute(dir)
		}
	}
}

// position is where a setting's value stands.
type position struct {
	token *token.Token
	width int // of the word to mark
}
