package buildspec

// key is one key of the language. A refused one is CodeBuild's, and this release cannot honour it.
type key struct {
	name    string
	refused bool
	hint    string // what to do instead, for a refused key
}

// section is a mapping of the language with the keys that it may have. The tables below, schema.json and
// docs/buildspec.md agree; a test holds them together.
type section struct {
	name string // as messages name it, "" for the top level
	keys []key
	// closed sections take no other key at all: another one is an error, not a warning.
	closed bool
}

const laterHint = "remove it, or run this buildspec with a release that supports it"

func known(names ...string) []key {
	keys := make([]key, len(names))
	for i, n := range names {
		keys[i] = key{name: n}
	}
	return keys
}

func refused(hint string, names ...string) []key {
	keys := make([]key, len(names))
	for i, n := range names {
		keys[i] = key{name: n, refused: true, hint: hint}
	}
	return keys
}

func keysOf(groups ...[]key) []key {
	var all []key
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

var (
	topSection = section{name: "", keys: keysOf(
		known("version", "env", "phases", "artifacts", "batch"),
		refused("remove it: the proxy of jobs is a setting of the daemon", "proxy"),
		refused(laterHint, "run-as", "reports", "cache"),
	)}
	envSection = section{name: "env", keys: keysOf(
		known("variables", "shell", "image"),
		refused(laterHint, "parameter-store", "secrets-manager", "exported-variables", "git-credential-helper"),
	)}
	phasesSection = section{name: "phases", closed: true, keys: known("install", "pre_build", "build", "post_build")}
	artifactsKeys = keysOf(
		known("files", "name", "discard-paths", "base-directory", "exclude-paths", "enable-symlinks", "s3-prefix", "type"),
		refused("remove it, and list its files under artifacts.files", "secondary-artifacts"),
	)
	artifactsSection = section{name: "artifacts", keys: artifactsKeys}
	batchSection     = section{name: "batch", keys: keysOf(
		known("fast-fail", "build-fanout"),
		refused(laterHint, "build-graph", "build-list", "build-matrix"),
	)}
	fanoutSection = section{name: "batch.build-fanout", keys: known("parallelism", "ignore-failure")}
)

// phaseSection is the section of one phase. Only install has runtime-versions.
func phaseSection(name string) section {
	keys := keysOf(known("commands", "finally", "on-failure"), refused(laterHint, "run-as"))
	if name == "install" {
		keys = append(keys, refused("remove it, and name an image that holds these versions in env.image", "runtime-versions")...)
	}
	return section{name: "phases." + name, keys: keys}
}

// allSections are the sections of the language, outermost first.
func allSections() []section {
	all := []section{topSection, envSection, phasesSection}
	for _, k := range phasesSection.keys {
		all = append(all, phaseSection(k.name))
	}
	return append(all, artifactsSection, batchSection, fanoutSection)
}

func (s section) find(name string) (key, bool) {
	for _, k := range s.keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

// path names a key of the section in full: "batch.fast-fail".
func (s section) path(name string) string {
	if s.name == "" {
		return name
	}
	return s.name + "." + name
}

// in says where in the text the section is: "in batch", "at the top level".
func (s section) in() string {
	if s.name == "" {
		return "at the top level"
	}
	return "in " + s.name
}
