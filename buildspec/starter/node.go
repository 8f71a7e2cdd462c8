package starter

import (
	"encoding/json"
	"regexp"
	"strings"
)

// manifest is what is read of package.json. Its values may be of any type in a stranger's file: what is no text counts
// as none.
type manifest struct {
	scripts map[string]string
	engine  string // engines.node, or volta.node
	manager string // packageManager, "pnpm@9.1.0"
	depends map[string]string
}

// nodes are the versions of Node that images are kept for, the usual one first.
var nodes = []string{"22", "24", "20", "18", "16", "14"}

// codenames are the names that .nvmrc may give to lines of long support.
var codenames = map[string]string{"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24", "gallium": "16", "fermium": "14"}

func readManifest(text string) manifest {
	var raw map[string]any
	m := manifest{scripts: map[string]string{}, depends: map[string]string{}}
	if json.Unmarshal([]byte(text), &raw) != nil {
		return m
	}
	texts := func(key string, into map[string]string) {
		block, _ := raw[key].(map[string]any)
		for name, value := range block {
			if s, ok := value.(string); ok {
				into[name] = s
			}
		}
	}
	texts("scripts", m.scripts)
	texts("dependencies", m.depends)
	texts("devDependencies", m.depends)
	engines := map[string]string{}
	texts("volta", engines)
	texts("engines", engines)
	m.engine = engines["node"]
	m.manager, _ = raw["packageManager"].(string)
	return m
}

func writeNode(f folder, r *recipe) {
	m := readManifest(f.read("package.json"))
	version, source := nodeVersion(f, m)
	r.title = "Installs the packages, builds, and runs the tests."
	r.use("node:"+version, source)
	r.variables = [][2]string{{"CI", "true"}}
	pm := managerOf(f, m, r)
	r.install = append([]step{run("node --version")}, pm.install...)
	r.cache = &cache{name: pm.name, lock: []string{pm.lock}, paths: []string{pm.cache}}
	if m.scripts["lint"] != "" {
		r.preBuild = append(r.preBuild, run(pm.run+"lint"))
	}
	if m.scripts["build"] != "" {
		r.foundf("the script build")
		r.build = append(r.build, run(pm.run+"build"))
	}
	nodeTests(f, m, pm, r)
	r.artifacts = nodeOutput(f, m)
	r.onlyTold = "artifacts: with files: keeps what a job leaves, such as dist/**/*."
}

// nodeVersion is the version for the image's tag, and where it comes from.
func nodeVersion(f folder, m manifest) (version, source string) {
	for _, name := range []string{".nvmrc", ".node-version"} {
		text := strings.ToLower(strings.TrimSpace(f.read(name)))
		if v := exact(text); v != "" {
			return v, name
		}
		if line, ok := strings.CutPrefix(text, "lts/"); ok {
			if v := codenames[line]; v != "" {
				return v, name
			}
			return "lts", name
		}
	}
	if v := exact(asdf(f, "nodejs", "node")); v != "" {
		return v, ".tool-versions"
	}
	if m.engine != "" {
		return within(m.engine, nodes...), "package.json"
	}
	return nodes[0], ""
}

var outputs = map[string]string{
	"next": ".next/**/*", "react-scripts": "build/**/*", "vite": "dist/**/*", "rollup": "dist/**/*", "tsup": "dist/**/*",
	"webpack": "dist/**/*", "parcel": "dist/**/*", "astro": "dist/**/*",
}

var outDir = regexp.MustCompile(`(?m)^\s*"outDir"\s*:\s*"(?:\./)?([A-Za-z0-9_][A-Za-z0-9_-]*)/?"`)

// nodeOutput is what the script build leaves, where that is known: a pattern that matched nothing would fail the job.
func nodeOutput(f folder, m manifest) []string {
	words := strings.Fields(m.scripts["build"])
	if len(words) == 0 {
		return nil
	}
	for _, word := range words {
		if word == "tsc" {
			if dir := outDir.FindStringSubmatch(f.read("tsconfig.json")); dir != nil {
				return []string{dir[1] + "/**/*"}
			}
		}
		configured := f.has(word+".config.js", word+".config.ts", word+".config.mjs", word+".config.cjs")
		usual := word == "next" || word == "react-scripts" || !configured
		if out := outputs[word]; out != "" && usual {
			return []string{out}
		}
	}
	return nil
}
