package starter

import "regexp"

var (
	rustChannel = regexp.MustCompile(`(?m)^\s*channel\s*=\s*["']([^"']+)["']`)
	rustName    = regexp.MustCompile(`(?ms)^\[package\][^\[]*?^name\s*=\s*["']([A-Za-z0-9_-]+)["']`)
	rustSpace   = regexp.MustCompile(`(?m)^\[workspace\]`)
	rustBin     = regexp.MustCompile(`(?ms)^\[\[bin\]\][^\[]*?^name\s*=\s*["']([A-Za-z0-9_-]+)["']`)
)

func writeRust(f folder, r *recipe) {
	manifest := f.read("Cargo.toml")
	version, source := "1", ""
	if name := f.first("rust-toolchain.toml", "rust-toolchain"); name != "" {
		text := f.read(name)
		if m := rustChannel.FindStringSubmatch(text); m != nil {
			text = m[1]
		}
		if v := exact(text); v != "" {
			version, source = v, name
		} else {
			r.notef("%s names a channel: rustup, which is in the image, fetches it when the job begins", name)
		}
	}
	r.title = "Builds the Rust crate and runs its tests."
	r.use("rust:"+version, source)
	locked := ""
	r.cache = &cache{name: "cargo", lock: []string{"Cargo.toml"}, paths: []string{"/usr/local/cargo/registry/**/*", "/usr/local/cargo/git/**/*"}}
	if f.has("Cargo.lock") {
		locked, r.cache.lock = " --locked", []string{"Cargo.lock"}
	}
	all := ""
	if rustSpace.MatchString(manifest) {
		all = " --workspace"
		r.foundf("Cargo.toml is that of a workspace")
	}
	r.install = []step{run("cargo --version"), run("cargo fetch" + locked)}
	r.build = []step{run("cargo test" + all + locked), run("cargo build --release" + all + locked)}
	for _, name := range rustPrograms(f, manifest) {
		r.foundf("the program %s", name)
		r.artifacts = append(r.artifacts, "target/release/"+name)
	}
	if len(r.artifacts) == 0 {
		r.onlyTold = "artifacts: with files: keeps what a job leaves, such as target/release/NAME."
	}
}

// rustPrograms are the programs that the root package makes.
func rustPrograms(f folder, manifest string) []string {
	var names []string
	for _, m := range rustBin.FindAllStringSubmatch(manifest, -1) {
		names = append(names, m[1])
	}
	if m := rustName.FindStringSubmatch(manifest); m != nil && len(names) == 0 && f.has("src/main.rs") {
		names = append(names, m[1])
	}
	return names
}
