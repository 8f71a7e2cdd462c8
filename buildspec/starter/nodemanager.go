package starter

import (
	"regexp"
	"strings"
)

// manager is a package manager of Node's.
type manager struct {
	name    string
	install []step
	run     string // before a script's name
	test    string // the script test, ready to take arguments
	lock    string
	cache   string
}

var (
	pnpmLock    = regexp.MustCompile(`(?m)^lockfileVersion:\s*'?([0-9]+)`)
	managerName = regexp.MustCompile(`^(npm|pnpm|yarn|bun)@([0-9]+)`)
)

// managerOf chooses by what package.json names, else by the lock file.
func managerOf(f folder, m manifest, r *recipe) manager {
	named, major := "", ""
	if match := managerName.FindStringSubmatch(m.manager); match != nil {
		named, major = match[1], match[2]
	}
	lock := f.first("pnpm-lock.yaml", "yarn.lock", "package-lock.json", "npm-shrinkwrap.json")
	switch {
	case named == "pnpm" || named == "" && lock == "pnpm-lock.yaml":
		return pnpm(f, r, major)
	case named == "yarn" || named == "" && lock == "yarn.lock":
		return yarn(f, r, major)
	}
	return npm(f, r)
}

func npm(f folder, r *recipe) manager {
	pm := manager{name: "npm", run: "npm run ", test: "npm test --", lock: "package.json", cache: "/root/.npm/**/*"}
	if lock := f.first("package-lock.json", "npm-shrinkwrap.json"); lock != "" {
		pm.lock = lock
		pm.install = []step{{why: "Exactly what " + lock + " names.", command: "npm ci"}}
		r.foundf("%s: npm installs what it names", lock)
		return pm
	}
	pm.install = []step{run("npm install")}
	r.notef("there is no package-lock.json: commit one, and builds of one commit install the same")
	return pm
}

// pnpmStore is where pnpm keeps packages, outside of the source.
const pnpmStore = "/root/.pnpm-store"

// pnpm is not in Node's images; its major version is that of package.json or of the lock file.
func pnpm(f folder, r *recipe, major string) manager {
	pm := manager{name: "pnpm", run: "pnpm run ", test: "pnpm test", lock: "pnpm-lock.yaml", cache: pnpmStore + "/**/*"}
	if major == "" {
		major = "10"
		if m := pnpmLock.FindStringSubmatch(f.read(pm.lock)); m != nil {
			major = map[string]string{"5": "7", "6": "8", "9": "10"}[m[1]]
		}
	}
	install := "pnpm install --frozen-lockfile"
	if !f.has(pm.lock) {
		pm.lock, install = "package.json", "pnpm install"
	}
	if major == "" {
		major = "latest"
	}
	pm.install = []step{
		run("npm install --global pnpm@" + major),
		{why: "By default the store would be on the source's file system.", command: install + " --store-dir " + pnpmStore},
	}
	r.foundf("pnpm %s, by %s", major, pm.lock)
	return pm
}

// yarn 1 is in Node's images; later ones come through corepack, as package.json or the repository says.
func yarn(f folder, r *recipe, major string) manager {
	pm := manager{name: "yarn", run: "yarn run ", test: "yarn test", lock: "yarn.lock", cache: "/usr/local/share/.cache/yarn/**/*"}
	frozen := " --frozen-lockfile"
	if f.has(".yarnrc.yml") || major != "" && major != "1" || strings.Contains(f.read("yarn.lock"), "__metadata:") {
		pm.cache, frozen = "/root/.yarn/berry/cache/**/*", " --immutable"
		pm.install = []step{run("corepack enable")}
		r.foundf("Yarn 2 or later, by its lock file")
	} else {
		r.foundf("Yarn 1, by its lock file")
	}
	if !f.has("yarn.lock") {
		pm.lock, frozen = "package.json", ""
	}
	pm.install = append(pm.install, run("yarn install"+frozen))
	return pm
}
