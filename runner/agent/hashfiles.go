package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const hashFilesUsage = `usage: codebuild-hash-files GLOB [GLOB…]

Prints one SHA-256 over all files that match, for the key of a cache. Globs are relative to the source directory
(CODEBUILD_SRC_DIR), wherever the command runs; * stops at a slash, ** crosses it. Quote the globs, or the shell
expands them first. The directory .git is searched only by globs that name it.

The digest is that of what "sha256sum FILE…" prints for the files in the order of their names. So it depends on names
and contents, and not on the order of the globs, on times or modes.

Exit status: 0; 1 with nothing printed if no file matches or one cannot be read; 2 for a wrong command line.
`

// hashTroubleVar names a file that hashFiles makes when it fails. The agent sets it while it expands the key of a
// cache, for a shell does not tell that a command inside a text failed.
const hashTroubleVar = "RUNNER_HASH_TROUBLE"

// hashFiles is the tool codebuild-hash-files.
func hashFiles(args []string) int {
	if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(os.Stderr, hashFilesUsage)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	digest, err := hashGlobs(os.Getenv("CODEBUILD_SRC_DIR"), args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "codebuild-hash-files: %v\n", err)
		if file := os.Getenv(hashTroubleVar); file != "" {
			_ = os.WriteFile(file, []byte(err.Error()), 0o600)
		}
		return 1
	}
	fmt.Println(digest)
	return 0
}

// hashGlobs returns the digest of the files below dir that match any of the globs.
func hashGlobs(dir string, globs []string) (string, error) {
	if dir == "" {
		dir = "."
	}
	texts := make([]string, len(globs))
	for i, text := range globs {
		texts[i] = text
		if !filepath.IsAbs(text) {
			continue
		}
		if rel, ok := within(dir, filepath.Clean(text)); ok { // the same file has the same name in every sandbox
			texts[i] = rel
		}
	}
	files, err := searchGlobs(dir, texts)
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("no file matches %s below %s", strings.Join(globs, " "), dir)
	}
	all := sha256.New()
	for _, file := range files {
		line, err := hashLine(dir, file)
		if err != nil {
			return "", err
		}
		_, _ = io.WriteString(all, line)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// hashLine is the line that sha256sum prints for a file.
func hashLine(dir, name string) (string, error) {
	full := name
	if !filepath.IsAbs(name) {
		full = filepath.Join(dir, name)
	}
	f, err := os.Open(full)
	if err != nil {
		return "", fmt.Errorf("reading what is to be hashed: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading what is to be hashed: %w", err)
	}
	mark := ""
	if strings.ContainsAny(name, "\\\n\r") {
		mark, name = `\`, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	return mark + hex.EncodeToString(h.Sum(nil)) + "  " + name + "\n", nil
}
