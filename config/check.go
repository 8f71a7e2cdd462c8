package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{1,149}$`)
	engineID    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
)

// maxSlots bounds how many jobs a daemon runs at once: a slip of the finger, not a machine, is beyond it.
const maxSlots = 4096

// faults collects what check finds.
type faults []FieldError

func (f *faults) add(field, hint, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (f *faults) err(field, hint string, err error) {
	if err != nil {
		f.add(field, hint, "%v", err)
	}
}

// oneOf checks a word against those allowed, and suggests the nearest.
func (f *faults) oneOf(field, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	hint := "write " + strings.Join(allowed[:len(allowed)-1], ", ") + " or " + allowed[len(allowed)-1]
	if near := nearest(value, allowed); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	f.add(field, hint, "%q is not known", clip(value))
}

// prefixed returns the faults with their fields below a path.
func (f faults) prefixed(path string) faults {
	out := slices.Clone(f)
	for i := range out {
		out[i].Field = path + "." + out[i].Field
	}
	return out
}

// check looks at a filled configuration as a whole.
func (c *Config) check() faults {
	var f faults
	c.checkListener(&f)
	if c.Slots < 1 || c.Slots > maxSlots {
		f.add("slots", "leave it out for the number of cores", "%d is not between 1 and %d", c.Slots, maxSlots)
	}
	if n, err := strconv.Atoi(c.Warm); c.Warm != WarmAuto && c.Warm != WarmOff && (err != nil || n < 1 || n > maxSlots) {
		f.add("warm", "write auto, off, or how many sandboxes may wait for a job", "%q is neither auto nor off nor a number from 1 to %d", clip(c.Warm), maxSlots)
	}
	if c.RetryFaults != "" {
		f.oneOf("retry-faults", c.RetryFaults, retryFaults...)
	}
	f.atLeast("warm-memory", c.WarmMemoryBytes, 0)
	f.checkKeepFailed(c.KeepFailed)
	f.atLeast("keep-failed-bytes", c.KeepFailedBytes, 0)
	f = append(f, c.Limits.check().prefixed("limits")...)
	if _, err := c.Space.Bytes(1 << 40); err != nil {
		f.add("space.floor", "write auto, 5%, 10GiB, or 0 for none", "%v", err)
	}
	f.atLeast("retention.age", int64(c.Retention.Age), 0)
	f.atLeast("retention.caches", c.Retention.CacheBytes, 0)
	f.atLeast("retention.builds.age", int64(c.Retention.Builds.Age), 0)
	f.atLeast("retention.builds.number", c.Retention.Builds.Number, 0)
	for key, age := range map[string]time.Duration{"retention.age": c.Retention.Age, "retention.builds.age": c.Retention.Builds.Age} {
		if age > 0 && age < time.Minute {
			f.add(key, "write 30d, or 0 to keep for ever", "%v is less than a minute", age)
		}
	}
	if m := c.Source.MemoryBytes; m != 0 && m < 64<<20 {
		f.add("source.memory", "64MiB is the least that unpacks a small repository", "%d bytes is too little", m)
	}
	if t := c.Source.Timeout; t != 0 && t < time.Second {
		f.add("source.timeout", "15m is the default", "%v is too short", t)
	}
	c.checkTelemetry(&f)
	f.atLeast("retention.audit", int64(c.Retention.Audit), 0)
	c.checkTLS(&f)
	c.checkAccess(&f)
	f.checkNetworks(c.Network, c.NetworkUntrusted)
	c.checkProxy(&f)
	c.checkEngines(&f)
	c.checkRegistries(&f)
	c.checkImages(&f)
	c.checkAliases(&f)
	c.checkNotifications(&f)
	c.checkProjects(&f)
	return f
}

// checkFiles looks at the files that the daemon needs at its start. Secrets are read when they are used.
func (c *Config) checkFiles() faults {
	var f faults
	if c.CABundle == "" {
		return f
	}
	pem, err := os.ReadFile(c.CABundle)
	if err != nil {
		f.add("ca-bundle", "name a file of certificates in PEM form", "it cannot be read: %v", err)
	} else if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		f.add("ca-bundle", "name a file of certificates in PEM form", "%s holds no certificate", c.CABundle)
	}
	return f
}

func (c *Config) checkListener(f *faults) {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		f.add("listen", "write host:port, 127.0.0.1:8080 or :8080 for every address", "%q is no address", clip(c.Listen))
	} else if _, err := net.LookupPort("tcp", port); err != nil {
		f.add("listen", "a port is a number from 0 to 65535", "%q is no port", clip(port))
	}
	if m := c.Metrics.Listen; m != "" {
		if _, port, err := net.SplitHostPort(m); err != nil {
			f.add("metrics.listen", "write host:port, such as 127.0.0.1:9464", "%q is no address", clip(m))
		} else if _, err := net.LookupPort("tcp", port); err != nil {
			f.add("metrics.listen", "a port is a number from 0 to 65535", "%q is no port", clip(port))
		} else if m == c.Listen && port != "0" {
			f.add("metrics.listen", "leave it out: /metrics is there too, with a token", "%q is where the daemon itself listens", clip(m))
		}
	}
	if c.URL == "" {
		return
	}
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		f.add("url", "write https://ci.example.com", "%q is no web address", clip(c.URL))
	}
}

func (c *Config) checkTelemetry(f *faults) {
	o := c.Telemetry.OTLP
	if u, err := url.Parse(o.Endpoint); o.Endpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		f.add("telemetry.otlp.endpoint", "write http://collector.example.com:4318, with credentials under headers", "this is no address of a collector")
	}
	if o.Protocol != "" {
		f.oneOf("telemetry.otlp.protocol", o.Protocol, "http/protobuf", "grpc")
	}
	for name, value := range o.Headers {
		f.err("telemetry.otlp.headers."+name, secretHint, value.Check())
		if value == "" {
			f.add("telemetry.otlp.headers."+name, secretHint, "the header has no value")
		}
	}
}

func (c *Config) checkProxy(f *faults) {
	for field, value := range map[string]string{"proxy.http": c.Proxy.HTTP, "proxy.https": c.Proxy.HTTPS} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme)) {
			f.add(field, "write http://proxy.example.com:3128", "this is no address of a proxy")
		}
	}
}

func (c *Config) checkEngines(f *faults) {
	seen := map[string]int{}
	for i, e := range c.Engines {
		at := fmt.Sprintf("engines[%d]", i)
		if first, twice := seen[e.ID]; twice {
			f.add(at+".id", "give each engine an id of its own", "engine %q is there already, as engines[%d]", e.ID, first)
		} else if !engineID.MatchString(e.ID) {
			f.add(at+".id", "letters, digits, dots, dashes and underscores, at most 63", "%q is no id of an engine", clip(e.ID))
		}
		seen[e.ID] = i
		f.oneOf(at+".type", e.Type, "docker", "process")
		f.oneOf(at+".workspace", e.Workspace, "auto", "mount", "overlay", "copy")
		f.oneOf(at+".firewall", e.Firewall, "auto", "off")
		if e.Host != "" && !strings.Contains(e.Host, "://") {
			f.add(at+".host", "write unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host", "%q is no address of an engine", clip(e.Host))
		}
		e.checkProcess(f, at)
		for j, m := range e.Mounts {
			m.check(f, fmt.Sprintf("%s.mounts[%d]", at, j))
		}
	}
}

// checkProcess refuses what the process executor would have to ignore.
func (e Engine) checkProcess(f *faults, at string) {
	if e.Type != "process" {
		return
	}
	for field, set := range map[string]bool{
		"host": e.Host != "", "network": e.Network != "", "mounts": len(e.Mounts) > 0,
		"runtime": e.Runtime != "", "seccomp": e.Seccomp != "", "no-new-privileges": e.NoNewPrivileges,
	} {
		if set {
			f.add(at+"."+field, "remove it, or use type docker", "an engine of type process has no such setting")
		}
	}
}

// reservedTargets are where Runner itself mounts things, or what no container starts without.
var reservedTargets = []string{"/proc", "/sys", "/dev"}

func (m Mount) check(f *faults, at string) {
	for field, path := range map[string]string{"source": m.Source, "target": m.Target} {
		if !strings.HasPrefix(path, "/") || strings.Contains(path+"/", "/../") {
			f.add(at+"."+field, "write the whole path, from /", "%q is no absolute path", clip(path))
		}
	}
	for _, r := range reservedTargets {
		if m.Target == "/" || m.Target == r || strings.HasPrefix(m.Target, r+"/") {
			f.add(at+".target", "choose a directory of its own, such as /opt/tools", "nothing can be mounted over %s", clip(m.Target))
			return
		}
	}
	for _, socket := range []string{"/var/run/docker.sock", "/run/docker.sock"} {
		if m.Source == socket || m.Target == socket {
			f.add(at+".source", "jobs that build images use a builder of their own", "the engine's socket would hand every job the whole machine")
			return
		}
	}
}

// dockerHub are addresses of Docker Hub that images never name: credentials for them would never be used.
var dockerHub = []string{"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"}

func (c *Config) checkRegistries(f *faults) {
	seen := map[string]bool{}
	for i, r := range c.Registries {
		at := fmt.Sprintf("registries[%d]", i)
		switch {
		case r.Server == "" || strings.ContainsAny(r.Server, " /@"):
			f.add(at+".server", "write host or host:port, ghcr.io or docker.io", "%q is no registry", clip(r.Server))
		case slices.Contains(dockerHub, r.Server):
			f.add(at+".server", "write docker.io", "%q is Docker Hub by another name", r.Server)
		case seen[r.Server]:
			f.add(at+".server", "give each registry once", "registry %q is there already", r.Server)
		}
		seen[r.Server] = true
		if (r.Username == "") != (r.Password == "") {
			f.add(at, "give username and password, or neither", "one of username and password is missing")
		}
		f.err(at+".password", secretHint, r.Password.Check())
	}
}

func (c *Config) checkProjects(f *faults) {
	seen := map[string]int{}
	for i := range c.Projects {
		p, at := &c.Projects[i], fmt.Sprintf("projects[%d]", i)
		if first, twice := seen[strings.ToLower(p.Name)]; twice && p.Name != "" {
			f.add(at+".name", "give each project a name of its own", "project %q is there already, as projects[%d]", p.Name, first)
		}
		seen[strings.ToLower(p.Name)] = i
		*f = append(*f, c.projectFaults(p).prefixed(at)...)
	}
}

// projectFaults are a project's own and those that depend on the daemon's settings.
func (c *Config) projectFaults(p *Project) faults {
	f := p.faults(c.AllowFileURLs)
	if p.Engine == "" {
		return f
	}
	ids := make([]string, len(c.Engines))
	for i, e := range c.Engines {
		ids[i] = e.ID
	}
	if !slices.Contains(ids, p.Engine) {
		hint := "the engines are " + strings.Join(ids, ", ")
		if near := nearest(p.Engine, ids); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		f.add("engine", hint, "there is no engine %q", clip(p.Engine))
	}
	return f
}

// CheckProject checks a project that is to live beside this configuration: all of Project.Check, with file://
// repositories where allow-file-urls is set, and the engine it names among those configured.
func (c *Config) CheckProject(p *Project) error { return c.projectFaults(p).join() }

func (f faults) join() error {
	slices.SortStableFunc(f, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = &f[i]
	}
	return errors.Join(errs...)
}

func (f *faults) atLeast(field string, value, least int64) {
	if value < least {
		f.add(field, "", "%d is less than %d", value, least)
	}
}

// The least that a job can be given of the disk: what it is provided with counts, too.
const (
	minDisk  = 4 << 20
	minFiles = 1000
)

// Check tells what is wrong with limits, every FieldError there is, joined.
func (l Limits) Check() error { return l.check().join() }

func (l Limits) check() faults {
	var f faults
	if l.CPUs < 0 || l.CPUs > 1024 || (l.CPUs > 0 && l.CPUs < 0.01) {
		f.add("cpus", "write 0.5 or 2; leave it out for no limit", "%v is no number of cores", l.CPUs)
	}
	if l.MemoryBytes != 0 && l.MemoryBytes < 6<<20 {
		f.add("memory", "a container engine takes 6MiB at least", "%d bytes is too little", l.MemoryBytes)
	}
	if l.PIDs != 0 && l.PIDs < 16 {
		f.add("pids", "the default is 4096", "%d is too few to run a shell with a pipe", l.PIDs)
	}
	for field, t := range map[string]time.Duration{"timeout": l.Timeout, "queue-timeout": l.QueueTimeout} {
		if t != 0 && (t < time.Second || t > 365*24*time.Hour) {
			f.add(field, "the default is 60m", "%v is not between 1s and 365d", t)
		}
	}
	if l.DiskBytes != 0 && l.DiskBytes < minDisk {
		f.add("disk", "the default is 50GiB", "%d bytes is too little: a job's own record needs a megabyte", l.DiskBytes)
	}
	if l.Files != 0 && l.Files < minFiles {
		f.add("files", "the default is 5000000", "%d is too few: the sandbox itself makes some dozens", l.Files)
	}
	f.atLeast("log", l.LogBytes, 0)
	f.atLeast("artifacts", l.ArtifactBytes, 0)
	f.atLeast("cache", l.CacheBytes, 0)
	f.atLeast("reports", l.ReportBytes, 0)
	f.atLeast("jobs", l.Jobs, 0)
	return f
}
