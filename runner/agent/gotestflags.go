package agent

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Flags of go test by what becomes of them where a package's tests are run some by some: those of the build matter when
// the tests are listed, by the test command itself; the others are given to the built binary.
var (
	goBuildBools  = []string{"race", "msan", "asan", "trimpath", "a"}
	goBuildValues = []string{"tags", "ldflags", "gcflags", "asmflags", "mod", "modfile", "overlay", "p", "buildmode", "compiler", "installsuffix", "pgo", "vet"}
	goTestBools   = []string{"short", "fullpath", "v"}
	goTestValues  = []string{"timeout", "parallel", "cpu", "count", "shuffle"}
)

// binaryFlags returns the flags of a built test binary that do what a command's words after "go test" ask for.
func binaryFlags(words []string) (flags []string, verbose bool, err error) {
	timeout := "10m0s"
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "$"+shardFilesVar || word == "${"+shardFilesVar+"}" || word == `"$`+shardFilesVar+`"` {
			continue
		}
		flag, value, valued := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
		flag = strings.TrimPrefix(flag, "test.")
		switch {
		case !strings.HasPrefix(word, "-"), strings.ContainsAny(word, `'"\`):
			return nil, false, fmt.Errorf("the test command has %s, and single tests can be run only where it is go test with flags", word)
		case slices.Contains(goBuildBools, flag):
			continue
		case slices.Contains(goTestBools, flag):
			if flag == "v" {
				verbose = !valued || value == "true" || value == "1"
			} else {
				flags = append(flags, "-test."+flag+"="+orTrue(value))
			}
			continue
		case !slices.Contains(goBuildValues, flag) && !slices.Contains(goTestValues, flag):
			return nil, false, fmt.Errorf("the test command has -%s, which needs the package as a whole", flag)
		}
		if !valued {
			if i++; i == len(words) || strings.ContainsAny(words[i], `'"\`) {
				return nil, false, fmt.Errorf("the value of -%s in the test command is not plain", flag)
			}
			value = words[i]
		}
		switch {
		case flag == "timeout":
			timeout = value
		case slices.Contains(goTestValues, flag):
			flags = append(flags, "-test."+flag+"="+value)
		}
	}
	return append(flags, "-test.timeout="+timeout), verbose, nil
}

func orTrue(value string) string {
	if value == "" {
		return "true"
	}
	return value
}

// belowGo returns what splits packages into tests for a test command, or an error that says why that cannot be.
func belowGo(command, reports string) (*goTests, error) {
	at := goTestCommand.FindStringIndex(command)
	plain := strings.NewReplacer("$"+shardFilesVar, "", "${"+shardFilesVar+"}", "").Replace(command)
	if at == nil || strings.ContainsAny(plain, shellSyntax) || strings.Contains(command, "GOFLAGS=") {
		return nil, fmt.Errorf("the test command does more than run go test with flags")
	}
	words := append(strings.Fields(os.Getenv("GOFLAGS")), strings.Fields(command[at[1]:])...)
	flags, verbose, err := binaryFlags(words)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "codebuild-tests-run-*")
	if err != nil {
		return nil, fmt.Errorf("there is no place for its binaries: %w", err)
	}
	if strings.EqualFold(os.Getenv(discoverVar), "false") {
		reports = ""
	}
	test := strings.LastIndex(command[:at[1]], "test")
	g := &goTests{before: command[:test], after: command[test+len("test"):], flags: flags, verbose: verbose, dir: dir, reports: reports}
	g.before = g.before[:strings.LastIndex(g.before, "go")]
	g.built = make(map[string]goBinary)
	return g, nil
}
